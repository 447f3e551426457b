"""Programs in the place of an agent, well and badly behaved: each costs its own part, is charged to the cent, and leaves nothing running.

The program is the one that `agents new --cli` writes, with a model that plays a script behind the gateway.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cooperbench.agents.command_line.catalogue import AGENTS_DIR
from cooperbench.agents.scaffold import COMMAND_LINE_TEMPLATE, write_agent
from cooperbench.gateway import read_recording
from cooperbench.records import Ending, EpisodeStatus, MemberResult
from cooperbench.runner import SessionOptions, read_run
from tests.runner.one_team import members_of, run_team
from tests.runner.test_misbehaviour import survivors

pytestmark = pytest.mark.needs("sandbox")

KEY = "sk-0123456789abcdef-not-a-key"
EDIT = "echo '# changed' >> README.md; "
COMMANDS = {
    "crashes": EDIT + "kill -SEGV $$",
    "fails": EDIT + "echo 'no more ideas' >&2; exit 3",
    "never_ends": EDIT + "echo ready; sleep 1000",
    "leaves_children": EDIT + "setsid sleep 1000 & (trap '' TERM HUP; sleep 1000) & exit 0",
    "floods": EDIT
    + "head -c 12000000 /dev/zero | tr '\\0' x; echo; yes '{\"type\": \"noise\"}' | head -n 30000; head -c 3000000 /dev/zero >&2; printf '\\377\\n{\"type\":'",
    "phones_home": EDIT
    + "python3 -c 'import socket; socket.create_connection((\"192.0.2.1\", 443), 3)' 2>/dev/null && exit 9; "
    + "python3 -c 'import socket; socket.getaddrinfo(\"registry.npmjs.org\", 443)' 2>/dev/null && exit 9; exit 0",
    "goes_on_without_model": "python3 {home}/program.py {address}/v1 {model} {task}; sleep 1000",
    "works": "python3 {home}/program.py {address}/v1 {model} {task}",
}
TURNS = [
    {"text": "I begin.", "tool_calls": [{"name": "bash", "arguments": {"command": EDIT}}], "cost": 0.0123, "usage": {"input_tokens": 900, "output_tokens": 40, "cached_tokens": 600}},
    {"tool_calls": [{"name": "bash", "arguments": {"command": "echo second"}}], "cost": 0.0456, "usage": {"input_tokens": 1000, "output_tokens": 7}},
    {"text": "All done.", "tool_calls": [{"name": "submit"}], "cost": 0.07, "usage": {"input_tokens": 1100, "output_tokens": 9}},
]  # fmt: skip


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of agents with the program of `agents new --cli`."""
    folder = tmp_path / "agents"
    written = write_agent("program", folder, template=COMMAND_LINE_TEMPLATE)
    file = yaml.safe_load((written / "program.yaml").read_text())
    for name, command in COMMANDS.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**file, "name": name, "command": command}))
    monkeypatch.setenv(AGENTS_DIR, str(folder))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    script = {"members": dict.fromkeys(("solo", *(f"agent{number}" for number in range(1, 10))), TURNS)}
    (tmp_path / "script").write_text(yaml.safe_dump(script))
    return folder


def run_programs(members: list[dict[str, Any]], log_dir: Path) -> list[MemberResult]:
    """Run a team without a network, whose model plays the script."""
    given = [{"model": "scripted/script", **each} for each in members]
    result = run_team(given, log_dir, SessionOptions(auto_eval=False), environment={"network": "none"})
    [episode] = result.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.COMPLETED, episode.result.error
    return members_of(result)


@pytest.mark.ci
@pytest.mark.slow
def test_programs_that_behave_badly(agents: Path, tmp_path: Path) -> None:
    members: list[dict[str, Any]] = [{"agent": name} for name in COMMANDS if name != "works"]
    for one in members:
        if one["agent"] == "never_ends":
            one["limits"] = {"wall_time": 12}
        elif one["agent"] == "goes_on_without_model":
            one["limits"] = {"steps": 2}
    ended = run_programs(members, tmp_path / "logs")
    by_name = {member.agent: member for member in ended}
    endings = {name: member.ending for name, member in by_name.items()}
    assert endings == {
        "crashes": Ending.ERROR,
        "fails": Ending.ERROR,
        "never_ends": Ending.TIMEOUT,
        "leaves_children": Ending.SUBMITTED,
        "floods": Ending.SUBMITTED,
        "phones_home": Ending.SUBMITTED,
        "goes_on_without_model": Ending.LIMIT,
    }
    for name, member in by_name.items():
        assert member.patch_lines == 1, f"the work of {name} was lost"
    assert by_name["crashes"].error is not None
    assert "by signal 11" in by_name["crashes"].error.message
    assert by_name["fails"].error is not None
    assert by_name["fails"].error.message == "fails ended with exit code 3: no more ideas"
    limited = by_name["goes_on_without_model"]
    assert limited.limit is not None
    assert (limited.limit.kind, limited.steps) == ("steps", 2)
    assert limited.cost == pytest.approx(0.0123 + 0.0456)
    assert not survivors()
    logs = next((tmp_path / "logs").rglob("agent5_logs"))
    assert (logs / "program_output.txt").stat().st_size > 12_000_000
    assert (logs / "program_errors.txt").stat().st_size > 0


@pytest.mark.slow
def test_a_program_leaves_the_same_record_as_any_agent(agents: Path, tmp_path: Path) -> None:
    [first, second] = run_programs([{"agent": "works"}, {"agent": "works"}], tmp_path / "logs")
    for member in (first, second):
        assert member.ending is Ending.SUBMITTED
        assert (member.steps, member.usage.input_tokens, member.usage.cached_tokens) == (3, 3000, 600)
        assert member.cost == pytest.approx(0.1279)
    episode = next((tmp_path / "logs").rglob("result.json")).parent
    history = [entry["message"] for entry in json.loads((episode / "agent1_traj.json").read_text())["messages"]]
    # The notice that the other one has ended comes before the end of this one, or after it.
    messages = [message for message in history if "agent2 has finished" not in str(message["content"])]
    assert [message["role"] for message in messages] == ["assistant", "tool", "assistant", "tool", "assistant"]
    usages = [message["extra"]["usage"] for message in messages if message["role"] == "assistant"]
    assert [usage["cost"] for usage in usages] == [pytest.approx(cost) for cost in (0.0123, 0.0456, 0.07)]
    events = [json.loads(line) for line in (episode / "events.jsonl").read_text().splitlines()]
    mine = [event for event in events if event.get("agent_id") == "agent1"]
    calls = [event["data"] for event in mine if event["kind"] == "model.call"]
    assert [call["usage"]["input_tokens"] for call in calls] == [900, 1000, 1100]
    tools = [event["data"] for event in mine if event["kind"] == "tool.result"]
    assert [tool["command"] for tool in tools if tool["tool"] == "bash"][:2] == [EDIT, "echo second"]
    recorded = list(read_recording(next(episode.glob("agent1_logs/*.jsonl.gz"))))
    assert [call.usage.cost for call in recorded if call.usage] == [
        pytest.approx(cost) for cost in (0.0123, 0.0456, 0.07)
    ]
    for path in episode.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


@pytest.mark.slow
def test_a_user_interrupts_programs(
    agents: Path, cooperbench: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    agent = "goes_on_without_model"
    command = ("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-n", "held", "--no-auto-eval", "-a", agent)
    outputs = "logs/held/coop/*/*/*/.work/members/*/logs/program_output.txt"
    with cooperbench(*command, "-m", "scripted/script") as process:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if sum("All done." in path.read_text() for path in tmp_path.glob(outputs)) == 2:
                break
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
        assert process.returncode == 130, output
    [episode] = read_run("held", tmp_path / "logs").episodes
    assert episode.result is not None
    for member in episode.result.agents.values():
        assert (member.ending, member.patch_lines, member.steps) == (Ending.INTERRUPTED, 1, 3)
        assert member.cost == pytest.approx(0.1279)
    assert not survivors()
