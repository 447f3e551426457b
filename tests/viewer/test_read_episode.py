"""The parts of an episode's page, as they are read from the record."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.records import Event, RunDirectory, write_bytes
from cooperbench.records.run_lock import locked
from cooperbench.records.runs import read_run
from cooperbench.viewer import read_episode
from cooperbench.viewer.actions import describe_command, describe_tool
from cooperbench.viewer.models import CHUNK, EpisodePage
from cooperbench.viewer.parts import episode_parts
from cooperbench.viewer.texts import LONGEST, cut
from tests.analysis.recorded import BEGUN, FAILED, PASSED, Recorded, record_run
from tests.viewer.made_episodes import made_run


def test_steps_have_times_texts_and_places(tmp_path: Path) -> None:
    run = made_run(tmp_path, "made", members=2, steps=CHUNK + 5, messages=10)
    page, chunks = read_episode(run, run.episodes[0])
    first, second = page.lanes
    assert [len(lane.steps) for lane in page.lanes] == [CHUNK + 5] * 2
    assert (first.chunks, [(c.agent_id, c.chunk, len(c.steps)) for c in chunks[:2]]) == (
        2,
        [("agent1", 0, CHUNK), ("agent1", 1, 5)],
    )
    for lane in (first, second):
        assert not any(step.estimated for step in lane.steps)
        ends = [step.act.end for step in lane.steps]
        assert ends == sorted(ends)
        assert all(step.model.begin < step.model.end <= step.act.begin < step.act.end for step in lane.steps)
    details = chunks[0].steps[0]
    assert details.calls[0].tool == "bash"
    assert details.answers[0].text == "all 12 tests pass\n"
    assert chunks[0].prompt == ("The system prompt.", "The user prompt.")
    assert {message.step for message in page.messages} <= {
        f"{a}.{n}" for a in ("agent1", "agent2") for n in range(1, 106)
    }


def test_conflicts_name_files_and_who_met_there(tmp_path: Path) -> None:
    run = made_run(tmp_path, "made", steps=4, messages=3, conflict=True)
    page = read_episode(run, run.episodes[0]).page
    assert (page.verdict.tone, page.verdict.jump) == ("conflict", "merge.naive")
    shared = page.files[0]
    assert shared.path == "src/shelf/cli.py"
    assert [side.agent_id for side in shared.sides] == ["agent1", "agent2"]
    assert [tuple(lines) for lines in shared.overlaps] == [(11, 11)]
    assert shared.mentions == (1, 2, 3)
    assert [file.path for file in page.files[1:]] == ["src/own1.py", "src/own2.py"]


def test_messages_tell_read_unread_refused_and_crossed(tmp_path: Path) -> None:
    messages = (("agent1", "agent2", "I take cli.py"), ("agent2", "agent1", "I take cli.py"))
    run = record_run(tmp_path, "crossed", [Recorded(messages=messages)])
    files = run.episodes[0].files
    said = json.loads(files.conversation.read_bytes())
    for each in said:
        each["read_at"] = (BEGUN + timedelta(seconds=20)).isoformat()
    said[1]["read_at"] = None
    write_bytes(files.conversation, json.dumps(said).encode())
    one, other = read_episode(run, run.episodes[0]).page.messages
    assert (one.crossed, other.crossed) == ((2,), (1,))
    assert (one.read, other.read) == (20.0, None)


def test_agents_without_a_trajectory_are_shown_by_their_events(tmp_path: Path) -> None:
    def event(number: int, kind: str, seconds: float, took: float, **data: object) -> Event:
        end = BEGUN + timedelta(seconds=seconds)
        return Event(
            sequence=number,
            time=end,
            started_at=end - timedelta(seconds=took),
            kind=kind,
            agent_id="agent1",
            data=data,
        )

    events = (
        event(0, "tool.result", 1, 0.5, tool="bash", command="git fetch -q origin", exit_code=0),
        event(1, "model.call", 5, 3),
        event(2, "tool.result", 6, 1, tool="bash", command="python -m pytest", exit_code=1, changed=["a.py"]),
        event(3, "model.call", 9, 2),
    )
    run = record_run(tmp_path, "foreign", [Recorded(events=events)])
    page, chunks = read_episode(run, run.episodes[0])
    steps = page.lanes[0].steps
    assert [(step.action, step.model, step.failed) for step in steps] == [
        ("run", (2.0, 5.0), True),
        ("answer", (7.0, 9.0), False),
    ]
    assert steps[0].changed == ("a.py",)
    assert chunks[0].steps[0].calls[0].text == "python -m pytest"


def test_an_episode_at_work_is_shown_so_far(tmp_path: Path) -> None:
    run = record_run(tmp_path, "live", [Recorded()])
    files = run.episodes[0].files
    for path in files.path.iterdir():
        path.unlink()
    start = {"started_at": BEGUN.isoformat(), "attempt": 1, "agents": {"agent1": [1], "agent2": [2]}}
    write_bytes(files.start, json.dumps(start).encode())
    call = {"function": {"name": "send_message", "arguments": '{"to": "agent2", "message": "I take cli.py"}'}}
    said = {"message": {"role": "assistant", "content": "I begin.", "tool_calls": [call]}}
    write_bytes(files.members / "agent1" / "messages.jsonl", json.dumps(said).encode() + b'\n{"mess')
    moved = {"id": "m0", "sequence": 0, "from": "agent1", "to": "agent2"}
    events = [
        {"sequence": 0, "kind": "message.sent", "agent_id": "agent1", "data": {**moved, "bytes": 13}},
        {"sequence": 1, "kind": "message.read", "agent_id": "agent2", "data": moved},
    ]
    lines = [
        json.dumps({**each, "time": (BEGUN + timedelta(seconds=number)).isoformat()})
        for number, each in enumerate(events)
    ]
    write_bytes(files.live_events, "".join(f"{line}\n" for line in lines).encode())
    with locked(RunDirectory(run.directory)):
        again = read_run("live", tmp_path)
        page, chunks = read_episode(again, again.episodes[0])
    assert page.live
    assert page.verdict.title == "At work"
    assert [lane.agent_id for lane in page.lanes] == ["agent1", "agent2"]
    assert chunks[0].steps[0].thought == "I begin."
    assert [(each.text, each.sent, each.read) for each in page.messages] == [("I take cli.py", 0.0, 1.0)]
    killed = read_episode(again, again.episodes[0]).page
    assert (killed.live, killed.verdict.title) == (False, "Unfinished")


def test_secrets_are_not_in_any_part(tmp_path: Path) -> None:
    secret = "sk-" + "a1B2" * 8
    run = made_run(tmp_path, "secret", steps=3, messages=2, text=f"export KEY={secret}\n")
    parts = episode_parts(read_episode(run, run.episodes[0]))
    assert parts.keys() == {"page", "agent1.0", "agent2.0"}
    assert not any(secret.encode() in data for data in parts.values())
    assert b"***" in parts["agent1.0"]


def test_parts_can_be_read_again(tmp_path: Path) -> None:
    run = made_run(tmp_path, "made", members=3, steps=5, messages=6, failing=True)
    parts = read_episode(run, run.episodes[0])
    assert EpisodePage.model_validate_json(episode_parts(parts)["page"]) == parts.page


@pytest.mark.parametrize(
    ("command", "label"),
    [
        ("cd /workspace/repo && cat src/shelf/store.py", "read store.py"),
        ("python -m pytest -q", "tests"),
        ("cat > a.py <<'EOF'\nx\nEOF\npython -m pytest", "edit, test"),
        ("sed -i s/a/b/ src/a.py", "edit a.py"),
        ("git add -A && git commit -qm x && git push -q", "commit, push"),
        ("git fetch && git merge origin/agent2", "fetch, merge"),
        ("coop send agent2 'I am done'", "message"),
        ("coop recv", "wait for a message"),
        ("python3 -m shelf list", "try shelf"),
        ("FLAG=1 /usr/bin/make all", "make"),
        ("", "command"),
        ("./", "command"),
        ("/bin/bash -lc 'cd /workspace/repo && git push'", "push"),
        ('bash -c "coop recv --wait 60"', "wait for a message"),
    ],
)
def test_commands_are_described_in_a_word(command: str, label: str) -> None:
    assert describe_command(command).label == label


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("Read", {"file_path": "/repo/src/a.py"}, ("read", "read a.py")),
        ("Grep", {"pattern": "x"}, ("read", "look")),
        ("Edit", {"file_path": "/repo/src/a.py"}, ("edit", "edit a.py")),
        ("apply_patch", {}, ("edit", "edit")),
        ("mcp__coop__send_message", {"to": "agent2"}, ("message", "message")),
        ("wait_for_message", {"from": "agent2"}, ("wait", "wait for agent2")),
        ("Task", {}, ("run", "Task")),
        (None, {}, ("answer", "answer")),
    ],
)
def test_tools_are_described_in_a_word(tool: str | None, arguments: dict[str, object], said: tuple[str, str]) -> None:
    assert describe_tool(tool, None, arguments) == said


@given(st.text())
def test_any_command_has_a_label(command: str) -> None:
    assert describe_command(command).label


@given(st.text(alphabet=st.characters(codec=None)))
def test_texts_can_be_encoded(text: str) -> None:
    cut(text).encode()


def test_enormous_texts_say_what_is_left_out() -> None:
    assert cut("x" * (LONGEST + 1_000)).endswith("… 1,000 characters more are in the record")


def test_a_member_who_could_not_do_its_feature_is_named(tmp_path: Path) -> None:
    recorded = Recorded(outcomes=(FAILED, PASSED), alone=(FAILED, PASSED))
    run = record_run(tmp_path, "unable", [recorded])
    verdict = read_episode(run, run.episodes[0]).page.verdict
    assert (verdict.title, verdict.cause) == ("Tests fail", "could not do it")
    assert verdict.reason == "Feature 1 of agent1 fails 1 of 1 hidden tests on that member's work alone."


def test_an_episode_that_has_not_begun_says_so(tmp_path: Path) -> None:
    run = record_run(tmp_path, "new", [Recorded()])
    shutil.rmtree(run.episodes[0].directory)
    again = read_run("new", tmp_path)
    page = read_episode(again, again.episodes[0]).page
    assert (page.verdict.title, page.lanes, page.live) == ("Not begun", (), False)
