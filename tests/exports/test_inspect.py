"""Runs in the real Inspect: its reader, its timeline, its viewer in a browser, and Scout."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from cooperbench.errors import MissingExtraError, UsageError
from cooperbench.records.runs import read_run
from tests.command_line import cooperbench

LOGS = Path(__file__).parents[1] / "records" / "fixtures" / "logs"
installed = find_spec("inspect_ai") is not None
needs_inspect = pytest.mark.skipif(not installed, reason="the extra `inspect` (300 MB) is not installed")
# Of that package and what it stands on.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.mark.skipif(installed, reason="inspect_ai is installed")
def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    said = cooperbench("runs", "export", "pairs", str(tmp_path / "out"), "--format", "eval", "--log-dir", str(LOGS))
    assert said.code == 2
    assert "needs the extra 'inspect'" in said.err
    assert "[inspect]" in said.err
    with pytest.raises(MissingExtraError):
        __import__("cooperbench.exports.inspect_logs")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two logs: pairs, and one agent alone."""
    from cooperbench.exports.inspect_logs import export_eval

    place = tmp_path_factory.mktemp("inspect")
    for name in ("pairs", "alone"):
        log = export_eval(name, place / name, log_dir=LOGS)
        shutil.copy(log.path, place)
        shutil.rmtree(place / name)
    return place


def logs(folder: Path) -> dict[str, Any]:
    from inspect_ai.log import read_eval_log

    found = [read_eval_log(str(path)) for path in folder.glob("*.eval")]
    return {log.eval.task: log for log in found}


@needs_inspect
def test_a_sample_for_each_group(folder: Path) -> None:
    run, log = read_run("pairs", LOGS), logs(folder)["pairs"]
    with_result = [episode for episode in run if episode.result is not None]
    assert [sample.id for sample in log.samples] == [str(episode.group) for episode in with_result]
    assert log.status == "cancelled"  # two of its episodes have no result
    for sample, episode in zip(log.samples, with_result, strict=True):
        assert sample.metadata["cluster"] == "parts_task/1"
        verdict = episode.verdict
        if verdict is None:
            assert sample.scores is None
        else:
            passed = sample.scores["passed"]
            assert (passed.value, passed.answer) == (float(verdict.passed), verdict.outcome.value)
            assert sample.metadata["evaluation"]["verdict"]["policy"] == verdict.policy
        assert sample.store.get("agent1.patch", "") == episode.patch("agent1")
        assert [message.metadata["from"] for message in sample.messages] == [
            each.sender for each in episode.conversation
        ]
    [passed] = [score for score in log.results.scores if score.name == "passed"]
    assert passed.metrics["mean"].value == run.summary.passed / run.summary.evaluated
    assert passed.metrics["mean"].metadata == {"clusters": 1}
    assert any("f3_f4: new" in note for note in log.eval.metadata["not_expressed"])
    assert log.eval.metadata["policy"] == run.policy


@needs_inspect
def test_no_event_is_lost_and_each_is_at_its_time(folder: Path) -> None:
    run, log = read_run("pairs", LOGS), logs(folder)["pairs"]
    for sample in log.samples:
        events = run.episode(sample.id).events()
        made = [event for event in sample.events if not event.event.startswith("span_")]
        assert sorted(event.timestamp for event in made) == sorted(
            (event.started_at or event.time) if event.kind in ("model.call", "tool.result") else event.time
            for event in events
        )
        kinds = {"model": "model.call", "tool": "tool.result"}
        assert sorted(kinds.get(event.event) or event.source for event in made) == sorted(each.kind for each in events)
        assert [event.timestamp for event in sample.events] == sorted(event.timestamp for event in sample.events)
        calls = [event for event in made if event.event == "model"]
        assert all(event.role == event.span_id and event.completed >= event.timestamp for event in calls)


@needs_inspect
def test_the_timeline_has_a_lane_for_each_member(folder: Path) -> None:
    from inspect_ai.event import timeline_build

    for sample in logs(folder)["pairs"].samples:
        lanes = [each for each in timeline_build(sample.events).root.content if each.type == "span"]
        assert [lane.name for lane in lanes] == ["init", "agent1", "agent2", "scoring"]
        assert [lane.span_type for lane in lanes[1:3]] == ["agent", "agent"]


@needs_inspect
def test_one_agent_alone_has_its_history_as_the_messages(folder: Path) -> None:
    [sample] = logs(folder)["alone"].samples
    history = read_run("alone", LOGS).episodes[0].trajectory("solo").messages
    assert [message.role for message in sample.messages] == [entry.message["role"] for entry in history]
    asked = next(event for event in sample.events if event.event == "model" and event.output.choices)
    assert asked.output.choices[0].message.text == next(m.text for m in sample.messages if m.role == "assistant")


@needs_inspect
def test_no_key_leaves_with_it(tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    from cooperbench.exports.inspect_logs import export_eval

    key = "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2"
    shutil.copytree(LOGS, tmp_path / "logs")
    for path in (tmp_path / "logs" / "alone").rglob("*_traj.json"):
        path.write_text(path.read_text().replace('"content": "', f'"content": "{key} ', 1))
    log = read_eval_log(str(export_eval("alone", tmp_path / "out", log_dir=tmp_path / "logs").path))
    assert key not in log.model_dump_json()
    assert "***" in log.model_dump_json()


@needs_inspect
def test_what_cannot_be_written_is_refused(tmp_path: Path, folder: Path) -> None:
    from cooperbench.exports.inspect_logs import export_eval

    with pytest.raises(UsageError, match="not an empty folder"):
        export_eval("pairs", folder, log_dir=LOGS)
    with pytest.raises(UsageError, match="unknown run 'pears'; did you mean 'pairs'"):
        export_eval("pears", tmp_path / "out", log_dir=LOGS)
    with pytest.raises(UsageError, match="unknown policy"):
        export_eval("pairs", tmp_path / "out", log_dir=LOGS, policy="none@1")
    assert not (tmp_path / "out").exists()


@needs_inspect
def test_odd_histories_are_kept(tmp_path: Path) -> None:
    from cooperbench.exports.inspect_messages import chat_messages
    from cooperbench.records import TrajectoryMessage

    odd: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "bash", "arguments": "{"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "image"}], "tool_calls": None},
        {
            "role": "assistant",
            "content": {"odd": 1},
            "tool_calls": ["x", {"function": None}, {"function": {"arguments": []}}],
        },
        {"role": "tool", "content": "out"},
        {"role": "exit", "content": "", "extra": {"exit_status": "Submitted"}},
        {},
    ]
    made = chat_messages("agent1", [TrajectoryMessage(message=message) for message in odd], "m")
    assert [message.role for message in made] == ["assistant", "assistant", "assistant", "tool", "user", "user"]
    assert made[0].tool_calls[0].arguments == {"arguments": "{"}
    assert made[0].tool_calls[0].parse_error
    assert (made[1].text, made[2].text) == ('a\n{"type": "image"}', '{"odd": 1}')
    assert made[4].metadata == {"extra": {"exit_status": "Submitted"}}


@contextmanager
def viewer(folder: Path) -> Iterator[str]:
    """`inspect view`, as a user starts it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("inspect")
    command = [str(program), "view", "start", "--log-dir", str(folder), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                urlopen(f"http://127.0.0.1:{port}", timeout=5).close()
                break
            except (URLError, ConnectionError):
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@needs_inspect
@pytest.mark.needs("browser")
def test_inspect_view_shows_the_team(folder: Path) -> None:
    from tests.viewer.browser import Browser

    [path] = folder.glob("*_pairs_*.eval")
    browser = Browser()
    with viewer(folder) as address, closing(browser):
        place = f"{address}/#/logs/{path.name}/samples/sample/{quote('parts_task/1/f1_f2', safe='')}/1/transcript"
        browser.driver.get(place)
        text = browser.wait(
            "const t = document.body.innerText; return /agent1/.test(t) && /SUB-AGENT: AGENT2/i.test(t) && /scoring/i.test(t) && t"
        )
    assert "parts_task/1/f1_f2" in text
    assert "passed" in text


@needs_inspect
@pytest.mark.skipif(find_spec("inspect_scout") is None, reason="inspect-scout (150 MB) is not installed")
def test_scout_reads_the_logs(folder: Path) -> None:
    script = """
import asyncio, json, sys
from inspect_scout import transcripts_from
async def read():
    async with transcripts_from(sys.argv[1]).reader() as reader:
        return [info async for info in reader.index()]
print(json.dumps(sorted(str(info.task_id) for info in asyncio.run(read()))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 5
