"""What programs write becomes a history, whatever they write. The streams are recorded from the programs of the registries."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cooperbench.agents import Budget, Journal
from cooperbench.agents.command_line.charges import ChargedAnswers
from cooperbench.agents.command_line.event_lines import EventLine, read_line
from cooperbench.agents.command_line.formats import FORMATS
from cooperbench.agents.command_line.recorder import LONGEST_TEXT, StreamRecorder
from cooperbench.records import Trajectory, TrajectoryMessage
from cooperbench.records.activity import ActivityLog, CommandSpan, read_activity
from cooperbench.records.atif import to_atif
from cooperbench.records.trajectory import read_journal

STREAMS = Path(__file__).parent / "streams"
FORMAT = {"kilo": "opencode", "qwen_code": "claude_code"}
PROGRAMS = sorted(path.stem for path in STREAMS.glob("*.jsonl"))
COMMANDS = ["echo edited >> a.txt", "cat a.txt; sleep 1; echo PROBE"]


class Recording:
    """What was recorded of one stream."""

    def __init__(self, folder: Path, form: str) -> None:
        self.folder = folder
        self.budget = Budget()
        self.journal = Journal(folder / "messages")
        activity, self.charges = ActivityLog(folder / "activity"), ChargedAnswers(patience=0)
        self.recorder = StreamRecorder(FORMATS[form](), self.budget, self.journal, activity, self.charges)

    def play(self, data: bytes) -> tuple[TrajectoryMessage, ...]:
        for line in data.decode("utf-8", "replace").split("\n"):
            self.recorder.record(read_line(line))
        self.recorder.finish()
        self.journal.close()
        return read_journal(self.folder / "messages")

    def commands(self) -> list[CommandSpan]:
        return [span for span in read_activity(self.folder / "activity") if isinstance(span, CommandSpan)]


def record(folder: Path, program: str, data: bytes | None = None) -> tuple[Recording, list[Any]]:
    recording = Recording(folder, FORMAT.get(program, program))
    entries = recording.play(data if data is not None else (STREAMS / f"{program}.jsonl").read_bytes())
    return recording, [entry.message for entry in entries]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_leaves_the_same_kind_of_history(program: str, tmp_path: Path) -> None:
    recording, messages = record(tmp_path, program)
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    outputs = {message["tool_call_id"]: message for message in messages if message["role"] == "tool"}
    made = [json.loads(call["function"]["arguments"])["command"] for call in calls]
    assert [command for command in COMMANDS if any(command in one for one in made)] == COMMANDS
    assert [call["id"] for call in calls] == list(outputs)
    assert any(message["role"] == "assistant" and message["content"] == "All done." for message in messages)
    assert [span.command for span in recording.commands()] == made
    if program != "openhands":  # the stand-in's first arguments were refused
        assert "PROBE" in outputs[calls[1]["id"]]["content"]
        assert [span.exit_code for span in recording.commands()] == [0, 0]
        assert recording.recorder.final is None or not recording.recorder.final.failed


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_history_can_be_exported(program: str, tmp_path: Path) -> None:
    recording = Recording(tmp_path, FORMAT.get(program, program))
    messages = recording.play((STREAMS / f"{program}.jsonl").read_bytes())
    trajectory = Trajectory(
        agent_id="agent1", agent=program, model="m", features=(1,), status="Submitted", steps=3, messages=messages
    )
    steps = to_atif(trajectory, version="1").steps
    results = [step.observation for step in steps if step.observation is not None]
    assert len(results) >= 2
    assert [step.tool_calls for step in steps if step.tool_calls]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_stream_that_was_cut_keeps_what_came(program: str, tmp_path: Path) -> None:
    data = (STREAMS / f"{program}.jsonl").read_bytes()
    _, messages = record(tmp_path, program, data[: len(data) // 2])
    assert any(message["role"] == "assistant" for message in messages)
    assert messages[-1]["role"] in {"event", "assistant", "tool"}


def test_an_unknown_event_is_kept(tmp_path: Path) -> None:
    event = {"type": "brand_new", "payload": {"numbers": [1, 2]}, "text": "\ud800"}
    recording, messages = record(tmp_path, "codex", json.dumps(event).encode() + b"\n")
    [message] = messages
    assert message["role"] == "event"
    assert message["extra"]["event"]["payload"] == {"numbers": [1, 2]}
    assert recording.recorder.unknown == {"brand_new": 1}


def test_an_unknown_part_of_an_answer_is_kept_at_the_answer(tmp_path: Path) -> None:
    part = {"type": "hologram", "depth": 3}
    parts = [{"type": "text", "text": "Look."}, part, {"type": "tool_use", "id": "1", "name": "Bash", "input": {}}]
    event = {"type": "assistant", "message": {"content": parts}}
    _, [message] = record(tmp_path, "claude_code", json.dumps(event).encode() + b"\n")
    assert (message["content"], len(message["tool_calls"])) == ("Look.", 1)
    assert message["extra"]["parts"] == [{"kind": "hologram", "event": part}]


def test_lines_for_people_are_kept_as_text(tmp_path: Path) -> None:
    _, messages = record(tmp_path, "jsonl", b"loading...\n\n[1, 2]\n{not json\n\xff\xfe bytes\r\n")
    assert [message["content"] for message in messages] == ["loading...", "[1, 2]", "{not json", "\ufffd\ufffd bytes"]


def test_a_line_of_ten_megabytes_is_read_and_its_texts_are_cut(tmp_path: Path) -> None:
    said = {"type": "item.completed", "item": {"id": "i", "type": "agent_message", "text": "x" * 10_000_000}}
    _, [message] = record(tmp_path, "codex", json.dumps(said).encode() + b"\n")
    assert message["role"] == "assistant"
    assert len(message["content"]) < LONGEST_TEXT + 100
    assert "characters are left out" in message["content"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"type":' * 5_000, '{"a": ' * 900 + "1" + "}" * 900, '{"a": 1e999, "b": NaN}']
)
def test_json_that_ends_other_readers(text: str, tmp_path: Path) -> None:
    _, messages = record(tmp_path, "claude_code", text.encode() + b'\n{"type": "result", "result": "end"}\n')
    assert len(messages) == 2
    assert messages[1]["content"] == "end"


KEYS = sorted(
    {
        key
        for path in STREAMS.glob("*.jsonl")
        for line in path.read_text().splitlines()
        if (event := read_line(line).event)
        for key in (*event, *(name for value in event.values() if isinstance(value, dict) for name in value))
    }
)
WORDS = [
    *("assistant", "user", "result", "tool_use", "tool_result", "text", "message", "item.started", "item.completed"),
    *(
        "tool.execution_complete",
        "assistant.message",
        "ActionEvent",
        "ObservationEvent",
        "MessageEvent",
        "error",
        "agent",
    ),
]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(WORDS)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)
EVENTS = st.dictionaries(st.sampled_from([*KEYS, "type", "kind"]), VALUES, min_size=1, max_size=6)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=4), form=st.sampled_from(sorted(FORMATS)))
def test_no_event_ends_the_reading(
    events: list[dict[str, Any]], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    recording = Recording(tmp_path_factory.mktemp("stream"), form)
    for event in events:
        recording.recorder.record(EventLine(event, json.dumps(event)))
    messages = recording.play(b'{"type": "unheard of", "kind": "unheard of"}\n')
    assert messages[-1].message["content"] == "unheard of"
    assert len(messages) == recording.recorder.messages


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_is_a_line(text: str) -> None:
    line = read_line(text)
    assert line.text == text.strip("\r\n")
    assert line.event is None or json.loads(text) == line.event


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(1, 2000), program=st.sampled_from(PROGRAMS))
def test_lines_that_two_programs_write_at_once(
    cut: int, program: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = (STREAMS / f"{program}.jsonl").read_bytes()
    mixed = data[:cut] + b'\xff{"type": "other"}\n' + data[cut:]
    _, messages = record(tmp_path_factory.mktemp("mixed"), program, mixed)
    said = json.dumps(messages, ensure_ascii=False)
    assert "All done." in said
    assert "PROBE" in said


def test_agents_that_the_program_starts_are_told_apart(tmp_path: Path) -> None:
    def said(parent: str | None, *blocks: dict[str, object], role: str = "assistant") -> bytes:
        event = {"type": role, "message": {"role": role, "content": blocks}, "parent_tool_use_id": parent}
        return json.dumps(event).encode() + b"\n"

    def text(words: str) -> dict[str, object]:
        return {"type": "text", "text": words}

    def call(identifier: str, tool: str) -> dict[str, object]:
        return {"type": "tool_use", "id": identifier, "name": tool, "input": {"command": "ls"}}

    lines = [
        said(None, text("I delegate.")),
        said(None, call("a", "Agent"), call("b", "Agent")),
        said("a", text("Write a."), role="user"),
        said("a", text("a thinks")),
        said("b", text("b thinks")),
        said("b", call("c", "Bash")),
        said(None, text("All done.")),
        b'{"type": "result", "result": "end"}\n',
    ]
    _, messages = record(tmp_path, "claude_code", b"".join(lines))
    seen = [
        (message["role"], message["content"], (message.get("extra") or {}).get("subagent"))
        for message in messages
        if message["role"] != "event"
    ]
    assert seen == [
        ("assistant", "I delegate.", None),
        ("user", "Write a.", "a"),
        ("assistant", "a thinks", "a"),
        ("assistant", "b thinks", "b"),
        ("assistant", "All done.", None),
    ]
