"""The events of one member: what the harness saw of its model calls, commands and waits, joined with the agent's own history.

The spans are there for every agent. The index says where the text is in the trajectory, for agents whose messages were recorded
as they came.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cooperbench.evaluation import touched_paths
from cooperbench.records import TrajectoryMessage
from cooperbench.records.activity import CommandSpan, ModelSpan, Span, WaitSpan, read_activity
from cooperbench.records.event_details import (
    JournalEntry,
    MemberReady,
    MemberSubmitted,
    MessageWait,
    ModelCalled,
    ToolReturned,
)
from cooperbench.runner.episodes.members import MemberRun
from cooperbench.runner.episodes.submission import choose_patch
from cooperbench.runner.episodes.timeline import PendingEvent, plain

COMMAND_TOOL = "bash"


class _Answer(NamedTuple):
    """The last answer of the model: the commands that follow belong to its calls."""

    ended_at: datetime | None = None
    tools: dict[str, str] = {}


class _Spans:
    """The spans of one kind that no message of the history has been found for."""

    def __init__(self, spans: Iterable[Any]) -> None:
        self.left = sorted(spans, key=lambda span: span.ended_at)

    def take(self, until: datetime, since: datetime | None = None) -> Any:
        """Take the first one that lies between two times; `None` if there is none."""
        for position, span in enumerate(self.left):
            if span.ended_at > until:
                return None
            if since is None or span.started_at >= since:
                return self.left.pop(position)
        return None


def of_member(run: MemberRun) -> Iterator[PendingEvent]:
    """Yield all events of a member that are not noted while it works."""
    yield from _of_sandbox(run)
    ready_at = run.sandbox.ready_at if run.sandbox else None
    # Before that the harness sets the sandbox up.
    spans = [span for span in read_activity(run.folder.activity) if ready_at is None or span.ended_at > ready_at]
    yield from of_activity(run.member.agent_id, run.messages, spans)


def of_activity(agent_id: str, messages: Iterable[TrajectoryMessage], spans: Sequence[Span]) -> Iterator[PendingEvent]:
    """Yield what a member did. The texts are in the trajectory."""
    calls = _Spans(span for span in spans if isinstance(span, ModelSpan))
    commands = _Spans(span for span in spans if isinstance(span, CommandSpan))
    answer = _Answer()
    for index, entry in enumerate(messages):
        if entry.time is None:
            continue
        role = str(entry.message.get("role", ""))
        if role == "assistant":
            call = calls.take(entry.time)
            answer = _Answer(call.ended_at if call else None, _tool_names(entry.message))
            yield _model_call(agent_id, call, index, entry)
        elif role == "tool":
            call_id = entry.message.get("tool_call_id")
            tool = answer.tools.get(str(call_id))
            ran = tool in (COMMAND_TOOL, None) or _ran_command(entry.message)
            command = commands.take(entry.time, answer.ended_at) if ran else None
            yield _tool_result(agent_id, command, entry.time, index=index, call_id=_text(call_id), tool=tool)
        else:
            yield PendingEvent(entry.time, "agent.message", agent_id, plain(JournalEntry(role=role, index=index)))
    yield from (_model_call(agent_id, call, None, None) for call in calls.left)
    yield from (_tool_result(agent_id, command, command.ended_at, tool=COMMAND_TOOL) for command in commands.left)
    yield from (_wait(agent_id, span) for span in spans if isinstance(span, WaitSpan))


def _model_call(
    agent_id: str, call: ModelSpan | None, index: int | None, entry: TrajectoryMessage | None
) -> PendingEvent:
    details = ModelCalled(
        index=index,
        first_token_at=call.first_token_at if call else None,
        usage=call.usage if call else None,
    )
    time = call.ended_at if call else entry.time if entry else None
    assert time is not None
    return PendingEvent(time, "model.call", agent_id, plain(details), call.started_at if call else None)


def _tool_result(agent_id: str, command: CommandSpan | None, time: datetime, **known: Any) -> PendingEvent:
    if command is None:
        return PendingEvent(time, "tool.result", agent_id, plain(ToolReturned(**known)))
    details = ToolReturned(
        **known,
        command=command.command,
        exit_code=command.exit_code,
        timed_out=command.timed_out,
        changed=command.changed,
    )
    return PendingEvent(command.ended_at, "tool.result", agent_id, plain(details), command.started_at)


def _wait(agent_id: str, span: WaitSpan) -> PendingEvent:
    details = MessageWait(sender=span.sender, timeout=span.timeout, ended_by=span.ended_by)
    return PendingEvent(span.ended_at, "message.wait", agent_id, plain(details), span.started_at)


def _tool_names(message: dict[str, Any]) -> dict[str, str]:
    """Return the name of each tool that an answer calls, by the call's id. Agents write messages of any form."""
    calls = message.get("tool_calls")
    named = {}
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            named[str(call.get("id"))] = str(function.get("name"))
    return named


def _ran_command(message: dict[str, Any]) -> bool:
    """Return whether a result is marked as that of a command: programs call their shell by many names."""
    extra = message.get("extra")
    return isinstance(extra, dict) and bool(extra.get("command"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _of_sandbox(run: MemberRun) -> Iterator[PendingEvent]:
    """Yield when the member's sandbox was ready, and when its work was taken."""
    agent_id, sandbox, captured = run.member.agent_id, run.sandbox, run.captured
    if sandbox is not None and sandbox.ready_at is not None:
        ready = MemberReady(isolation=sandbox.isolation)
        yield PendingEvent(sandbox.ready_at, "member.ready", agent_id, plain(ready), run.started_at)
    if captured is not None:
        patch, source = choose_patch(run.returned_patch, captured.patch)
        paths = tuple(sorted(touched_paths(patch)))
        details = MemberSubmitted(source=source, bytes=len(patch), paths=paths)
        yield PendingEvent(captured.captured_at or run.ended_at, "member.submitted", agent_id, plain(details))
