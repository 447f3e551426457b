"""The real programs of the registry work as one team: with a model that plays a script, without a network, charged to the cent.

What they write in other versions and what other programs write is tested with recorded streams.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cooperbench.agents.registry import get_runner, layer_of
from cooperbench.environments import build_image
from cooperbench.environments.layers import cpu_of, find_layer, install_layer
from cooperbench.gateway import read_recording
from cooperbench.records import Ending, EpisodeStatus
from cooperbench.runner import RunRequest, SessionOptions, execute, make_plan
from cooperbench.tasks import discover_tasks, find_dataset
from tests.needs import CI, need

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow, pytest.mark.ci, pytest.mark.timeout(600)]

PROGRAMS = ("claude_code", "codex", "opencode", "copilot")
KEPT = Path(os.environ.get("COOPERBENCH_CI_CACHE", "/var/cache/cooperbench-ci")) / "layers"
COSTS = (0.0123, 0.0456, 0.01, 0.07)


@pytest.fixture(scope="module")
def programs(cache: Path) -> Iterator[None]:
    """Install the programs, 1.2 GB, once on a machine of CI; elsewhere take what the user has installed."""
    place = (
        KEPT
        if CI
        else Path(os.environ.get("COOPERBENCH_TEST_LAYERS", Path("~/.cache/cooperbench/layers").expanduser()))
    )
    if CI:
        need("npm registry")
        place.mkdir(parents=True, exist_ok=True)
    link, aside = cache / "layers", cache / "layers-of-other-tests"
    if link.exists():
        link.rename(aside)
    link.symlink_to(place)
    try:
        for name in PROGRAMS:
            recipe = layer_of(name)
            assert recipe is not None
            if CI:
                install_layer(name, recipe, cpu_of(None))
            elif find_layer(name) is None:
                pytest.skip(f"{name} is not installed: cooperbench agents install {name}")
        yield
    finally:
        link.unlink()
        if aside.exists():
            aside.rename(link)


def turns(me: str) -> list[dict[str, Any]]:
    """Say so, edit, commit and push; wait for the pushes of all; read messages by the MCP server; finish."""
    edit = f"printf '{me}\\n' > {me}.txt && git add -A && git -c user.name={me} -c user.email=m@example.org commit -qm {me} && git push -q origin {me}"
    tell = f"coop broadcast 'MARK of {me}'"
    # A message that comes after the last look is told to a program that has ended, which costs it another turn.
    others = f"[ $(git ls-remote --heads origin | grep -c refs/heads/agent) = {len(PROGRAMS)} ]"
    commands = [f"{tell}; {edit}", f"until {others}; do sleep 1; done; git log --oneline | head -1"]
    said: list[dict[str, Any]] = [
        {"tool_calls": [{"name": "bash", "arguments": {"command": command}}]} for command in commands
    ]
    said.append({"tool_calls": [{"name": "receive_messages", "arguments": {}}]})
    used = {"input_tokens": 1000, "output_tokens": 50, "cached_tokens": 300}
    both = [{"text": "I begin.", **said[0]}, *said[1:], {"text": "All done.", "tool_calls": [{"name": "submit"}]}]
    return [{**turn, "usage": used, "cost": cost} for turn, cost in zip(both, COSTS, strict=True)]


def test_four_programs_work_as_a_team(programs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    members = {name: turns(name) for name in (f"agent{number}" for number in range(1, len(PROGRAMS) + 1))}
    Path("script").write_text(yaml.safe_dump({"members": members}))
    request = RunRequest(
        run_name="real",
        team=",".join(f"{name}:scripted/script" for name in PROGRAMS),
        dataset_dir=find_dataset(subset="demo"),
        repo="shelfdb",
        features=(1, 2, 3, 4),
        git=True,
        environment={"network": "none"},
        log_dir=tmp_path / "logs",
    )
    result = execute(make_plan(request), SessionOptions(auto_eval=False))
    [episode] = result.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.COMPLETED, episode.result.error
    folder = next((tmp_path / "logs").rglob("result.json")).parent
    for name, member in episode.result.agents.items():
        said = f"{member.agent}: {member.error}"
        assert member.ending is Ending.SUBMITTED, said
        assert member.cost == pytest.approx(sum(COSTS)), said
        assert (member.usage.input_tokens, member.usage.cached_tokens) == (4000, 1200), said
        assert f"{name}.txt" in (folder / str(member.submission.file if member.submission else "")).read_text(), said
        messages = [entry["message"] for entry in json.loads((folder / str(member.trajectory)).read_text())["messages"]]
        tools = [call["function"]["name"] for message in messages for call in message.get("tool_calls", ())]
        assert tools[-1].endswith("receive_messages"), said
        costs = [message["extra"]["usage"]["cost"] for message in messages if message["role"] == "assistant"]
        assert costs == [pytest.approx(cost) for cost in COSTS], said
    # The slowest sees what all others wrote, without asking for it: they are done when it starts.
    slowest = max(episode.result.agents.values(), key=lambda member: member.ended_at)
    [calls] = folder.glob(f"{slowest.trajectory}".replace("_traj.json", "_logs/model_calls.jsonl.gz"))
    seen = json.dumps([call.call.body for call in read_recording(calls)])
    assert all(f"MARK of {name}" in seen for name in members if name != slowest.agent_id)


@pytest.mark.docker
def test_a_program_in_a_container(programs: None, tmp_path: Path) -> None:
    """The same file and program on Docker, where the layer is a volume that nobody can write to."""
    recipe = discover_tasks(subset="demo", repo="shelfdb")[0].recipe
    recipe = recipe.model_copy(update={"name": "cooperbench-test/shelfdb:evaluation", "bundled": False})
    build_image("docker", recipe, base_image="cooperbench-test/base:latest")
    look = "touch /opt/cooperbench/layers/codex/x 2>seen.txt"
    turns = [{"tool_calls": [{"name": "bash", "arguments": {"command": look}}]}, {"text": "Done."}]
    script = tmp_path / "script"
    script.write_text(yaml.safe_dump({"members": {"agent": turns}}))
    result = get_runner("codex").run(
        "Look around.", recipe.name, model_name=f"scripted/{script}", config={"backend": "docker"}
    )
    assert (result.status, result.steps) == ("Submitted", 2), result.error
    assert "+touch: cannot touch '/opt/cooperbench/layers/codex/x': Read-only file system" in result.patch
