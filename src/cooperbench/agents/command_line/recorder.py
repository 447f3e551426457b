"""Turn what a program reports into the history, the spans and the live display of its member, as it comes."""

import json
from datetime import datetime, timedelta
from typing import Any

from cooperbench.agents.budget import Budget
from cooperbench.agents.command_line.charges import ChargedAnswers
from cooperbench.agents.command_line.event_lines import EventLine
from cooperbench.agents.command_line.formats import EventFormat
from cooperbench.agents.command_line.reports import (
    FinalReport,
    GivenPrompt,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)
from cooperbench.agents.journal import Journal
from cooperbench.agents.reading import one_line
from cooperbench.records import utc_now
from cooperbench.records.activity import LONGEST_COMMAND, ActivityLog, CommandSpan

LONGEST_TEXT = 50_000
"""Characters of a text that the history keeps, half head and half tail, like the output of a command. The raw stream has all of it."""
MOST_MESSAGES = 20_000
"""Messages of a history. A program that writes lines for ever must not fill the disk; the record reads no more either."""
Json = dict[str, Any]


class StreamRecorder:
    """Records the events of one program. `final` is the last report of how it ended."""

    def __init__(
        self, form: EventFormat, budget: Budget, journal: Journal, activity: ActivityLog, charges: ChargedAnswers
    ) -> None:
        self._format = form
        self._budget = budget
        self._journal = journal
        self._activity = activity
        self._under_way: dict[str, tuple[ToolUse, datetime]] = {}
        self._charges = charges
        self._held: ModelTurn | None = None
        self.messages = 0
        self.unknown: dict[str, int] = {}
        """Events without a place in a history, by their kind."""
        self.final: FinalReport | None = None

    def record(self, line: EventLine) -> None:
        """Record one line of the program."""
        if line.event is None:
            if not line.text.strip():
                return
            self._add({"role": "event", "content": _cut(line.text), "extra": {"kind": "text"}})
            return
        for event in self._format.read(line.event):
            self._record(event)

    def finish(self) -> None:
        """Record what was held back."""
        finish = getattr(self._format, "finish", None)
        for event in finish() if finish is not None else ():
            self._record(event)
        self._release()

    def _record(self, event: StreamEvent) -> None:
        if isinstance(event, ModelTurn):
            # Programs report the text, the thoughts and the calls of one answer one after the other; their agents take turns.
            if self._held is not None and self._held.subagent != event.subagent:
                self._release()
            self._held = event if self._held is None else self._held.followed_by(event)
            if self._held.calls:
                self._release()
            return
        self._release()
        match event:
            case ToolOutput():
                self._add(self._output(event))
            case GivenPrompt(text=text, subagent=subagent):
                self._add(_of_subagent({"role": "user", "content": _cut(text)}, subagent))
            case FinalReport():
                self.final = event
                self._add({"role": "event", "content": _cut(event.text), "extra": _kept("final report", event.event)})
            case OtherEvent(kind=kind):
                self.unknown[kind] = self.unknown.get(kind, 0) + 1
                self._add({"role": "event", "content": one_line(kind), "extra": _kept(kind, event.event)})

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._add(self._turn(held))

    def _turn(self, turn: ModelTurn) -> Json:
        message: Json = {"role": "assistant", "content": _cut(turn.text)}
        if turn.reasoning:
            message["reasoning_content"] = _cut(turn.reasoning)
        if turn.calls:
            message["tool_calls"] = [_call(use) for use in turn.calls]
        for use in turn.calls:
            self._under_way[use.id] = use, utc_now()
        shown = [use.command or f"{use.name} {json.dumps(use.arguments, default=str)}" for use in turn.calls]
        self._budget.note_action("; ".join(shown) or turn.text or turn.reasoning)
        usage = self._charges.take(turn)
        if usage is not None:
            message["extra"] = {"usage": usage.model_dump()}
        if turn.others:
            message.setdefault("extra", {})["parts"] = [_kept(str(part.get("type")), part) for part in turn.others]
        return _of_subagent(message, turn.subagent)

    def _output(self, output: ToolOutput) -> Json:
        message: Json = {"role": "tool", "tool_call_id": output.call, "content": _cut(output.text)}
        use, started_at = self._under_way.pop(output.call, (None, None))
        if use is not None and started_at is not None and use.command is not None:
            self._activity.add(_span(use.command, started_at, output))
            message["extra"] = {"command": True}
        if output.failed:
            message.setdefault("extra", {})["failed"] = True
        return message

    def _add(self, message: Json) -> None:
        self.messages += 1
        if self.messages <= MOST_MESSAGES:
            self._journal.add(message)


def _of_subagent(message: Json, subagent: str) -> Json:
    """Mark a message of an agent that the program has started by itself."""
    return {**message, "extra": {**message.get("extra", {}), "subagent": subagent}} if subagent else message


def _span(command: str, started_at: datetime, output: ToolOutput) -> CommandSpan:
    ended_at = utc_now()
    if output.seconds is not None:  # the clock of a distant sandbox differs, a duration does not
        started_at = ended_at - timedelta(seconds=output.seconds)
    code = output.exit_code if output.exit_code is not None else int(output.failed)
    command = command[:LONGEST_COMMAND].encode("utf-8", "replace").decode()  # JSON may hold half a character
    return CommandSpan(started_at=started_at, ended_at=ended_at, command=command, exit_code=code, timed_out=False)


def _call(use: ToolUse) -> Json:
    arguments = json.dumps(use.arguments, ensure_ascii=False, default=str)
    return {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": arguments}}


def _kept(kind: str, event: Json) -> Json:
    """Return an event as it came, but for texts that are too long."""
    text = json.dumps(event, ensure_ascii=False, default=str)
    return {"kind": kind, "event": event if len(text) <= LONGEST_TEXT else {"cut": _cut(text)}}


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters are left out ...\n{text[-half:]}"
