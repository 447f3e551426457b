"""The events of an episode as events of Inspect: a span for each member, with its model and tool calls inside."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from inspect_ai.event import InfoEvent, ModelEvent, SpanBeginEvent, SpanEndEvent, ToolEvent
from inspect_ai.model import ChatCompletionChoice, GenerateConfig, ModelOutput, ModelUsage
from inspect_ai.tool import ToolCallError

from cooperbench.exports.inspect_messages import text_of, tool_calls
from cooperbench.records import ConversationMessage, Event, Trajectory, Usage
from cooperbench.records.event_details import ModelCalled, ToolReturned

INIT, SOLVERS, SCORERS = "init", "solvers", "scorers"
"""The phases of a sample, as Inspect names their spans."""
_JUDGING = ("merge.stage", "suite.run")
_PHASES = dict.fromkeys([*_JUDGING, "episode.ended"], SCORERS) | {"episode.started": INIT}


class EventMaker:
    """Converts the events of one episode."""

    def __init__(
        self,
        begin: datetime,
        histories: Mapping[str, Trajectory],
        messages: Mapping[str, Sequence[Any]],
        conversation: Sequence[ConversationMessage],
    ) -> None:
        self._begin = begin
        self._histories = histories
        self._messages = messages
        self._texts = {message.id: message for message in conversation}
        self._calls = {
            (name, call.id): call
            for name, history in histories.items()
            for entry in history.messages
            for call in tool_calls(entry.message)
        }

    def events(self, events: Sequence[Event], end: datetime) -> list[Any]:
        """Return all events in order of time. What Inspect has no event for becomes an `InfoEvent` with all of its data."""
        working = [event for event in events if event.kind not in _JUDGING]
        ready = next((event.time for event in working if event.kind == "episode.started"), self._begin)
        between = max((event.time for event in working), default=end)
        made = [*self._span(INIT, INIT, None, self._begin, ready), *self._spans(working, ready, between)]
        made += [*self._span(SCORERS, SCORERS, None, between, end), *map(self._convert, events)]
        return sorted(made, key=lambda event: (event.timestamp, _rank(event)))

    def _spans(self, events: Sequence[Event], begin: datetime, end: datetime) -> Iterator[Any]:
        yield from self._span(SOLVERS, SOLVERS, None, begin, end)
        for name in self._histories:
            own = [event for event in events if event.agent_id == name]
            started = [event.time for event in own if event.kind == "member.started"]
            first = started[0] if started else own[0].time if own else begin
            yield from self._span(name, "agent", SOLVERS, first, max((event.time for event in own), default=end))

    def _span(self, name: str, kind: str, parent: str | None, begin: datetime, end: datetime) -> Iterator[Any]:
        at = {"span_id": name}
        yield SpanBeginEvent(id=name, name=name, type=kind, parent_id=parent, timestamp=begin, **at, **self._at(begin))
        yield SpanEndEvent(id=name, timestamp=end, **at, **self._at(end))

    def _convert(self, event: Event) -> Any:
        details = event.details
        if isinstance(details, ModelCalled) and event.agent_id in self._histories:
            return self._model(event, details)
        if isinstance(details, ToolReturned) and event.agent_id in self._histories:
            return self._tool(event, details)
        data = {**event.data, "agent": event.agent_id} if event.agent_id else dict(event.data)
        if (message := self._texts.get(str(event.data.get("id")))) is not None:
            data["message"] = message.message
        if event.started_at is not None:
            data["started_at"] = event.started_at.isoformat()
        return InfoEvent(
            source=event.kind,
            data=data,
            timestamp=event.time,
            span_id=event.agent_id if event.agent_id in self._histories else _PHASES.get(event.kind, SOLVERS),
            **self._at(event.time),
        )

    def _model(self, event: Event, details: ModelCalled) -> Any:
        name = str(event.agent_id)
        history, messages = self._histories[name], self._messages[name]
        position = details.index
        known = position is not None and position < len(messages)
        answer = messages[position] if known and position is not None else None
        role = getattr(answer, "role", None)
        choices = [ChatCompletionChoice(message=answer)] if role == "assistant" else []
        began = event.started_at or event.time
        first = details.first_token_at
        return ModelEvent(
            model=history.model,
            role=name,
            input=list(messages[:position]) if known else [],
            tools=[],
            tool_choice="auto",
            config=GenerateConfig(),
            output=ModelOutput(
                model=history.model, choices=choices, usage=model_usage(details.usage), time=event.seconds
            ),
            timestamp=began,
            completed=event.time,
            working_time=event.seconds,
            span_id=name,
            metadata=None if first is None else {"first_token_at": first.isoformat()},
            **self._at(began),
        )

    def _tool(self, event: Event, details: ToolReturned) -> Any:
        name = str(event.agent_id)
        entries, position = self._histories[name].messages, details.index
        message = entries[position].message if position is not None and position < len(entries) else {}
        call = self._calls.get((name, str(details.call_id)))
        arguments = call.arguments if call else {"command": details.command} if details.command else {}
        began = event.started_at or event.time
        late = ToolCallError(type="timeout", message="the command took too long") if details.timed_out else None
        kept = details.model_dump(mode="json", include={"exit_code", "changed", "timed_out"}, exclude_none=True)
        return ToolEvent(
            id=str(details.call_id or event.sequence),
            function=call.function if call else details.tool or "unknown",
            arguments=arguments,
            result=text_of(message),
            error=late,
            timestamp=began,
            completed=event.time,
            working_time=event.seconds,
            span_id=name,
            message_id=f"{name}-{position}" if position is not None else None,
            metadata=kept or None,
            **self._at(began),
        )

    def _at(self, time: datetime) -> dict[str, Any]:
        return {"working_start": max(0.0, (time - self._begin).total_seconds())}


def _rank(event: Any) -> int:
    """Return the place among events of the same time: the viewer nests spans by their order, not by their ids."""
    phase = {INIT: 0, SCORERS: 8}.get(event.span_id, 3)
    if event.event not in ("span_begin", "span_end"):
        return phase + (2 if phase == 3 else 1)
    inner = event.span_id not in (INIT, SOLVERS, SCORERS)
    if event.event == "span_begin":
        return phase + inner
    return phase + (2 if phase != 3 else 3 if inner else 4)


def model_usage(usage: Usage | None) -> Any:
    """Convert token counts. Unknown ones count 0 there, which has no unknown."""
    if usage is None:
        return None
    cached = usage.cached_tokens or 0
    return ModelUsage(
        input_tokens=max(0, (usage.input_tokens or 0) - cached),
        output_tokens=usage.output_tokens or 0,
        total_tokens=(usage.input_tokens or 0) + (usage.output_tokens or 0),
        input_tokens_cache_read=usage.cached_tokens,
        total_cost=usage.cost,
    )
