"""Put together what a member did: its trajectory has the texts, the events of the harness have the times."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cooperbench.records import Event, TrajectoryMessage, Usage
from cooperbench.records.event_details import MessageWait, ModelCalled, ToolReturned
from cooperbench.records.model_wait import ProviderWait
from cooperbench.viewer.actions import Said, describe_command, describe_tool
from cooperbench.viewer.clock import EpisodeClock, Span
from cooperbench.viewer.details import ShownAnswer, ShownCall, StepDetails
from cooperbench.viewer.event_times import EventTimes
from cooperbench.viewer.models import LaneStep, Wait
from cooperbench.viewer.texts import as_text, cut, raw_message

_ANSWER = Said("answer", "answer")
_GAP = 1e-4
"""Seconds between two moments that count as one."""


@dataclass
class _Step:
    """A step while it is put together."""

    model: Span
    act: Span
    first_token: float | None = None
    estimated: bool = False
    position: int | None = None
    said: Said = _ANSWER
    usage: Usage = field(default_factory=Usage)
    exit_code: int | None = None
    timed_out: bool = False
    changed: dict[str, None] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    thought: str = ""
    reasoning: str = ""
    calls: list[ShownCall] = field(default_factory=list)
    answers: list[ShownAnswer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class MemberSteps:
    """The steps of one member, what each one says, and what the member was given before the first."""

    steps: tuple[LaneStep, ...]
    details: tuple[StepDetails, ...]
    prompt: tuple[str, ...]


def member_steps(
    clock: EpisodeClock, ready: float, history: Sequence[TrajectoryMessage], events: Sequence[Event]
) -> MemberSteps:
    """Join a member's trajectory with its events. Either may be empty: then the other says all there is."""
    times = EventTimes(events)
    steps, prompt = _from_history(clock, ready, history, times)
    if steps:
        _place_by_time(clock, steps, times)
    else:
        steps = _from_events(clock, times)
    steps.sort(key=lambda step: step.model.begin)
    _add_waits(clock, steps, events)
    repeats: Counter[tuple[tuple[str, str], ...]] = Counter()
    shown = []
    for number, step in enumerate(steps, 1):
        same = tuple((call.tool, call.text) for call in step.calls)
        repeats[same] += 1
        shown.append(_finished(number, step, repeats[same] if same and step.said.action != "wait" else 1))
    return MemberSteps(tuple(shown), tuple(_details(step) for step in steps), prompt)


def _from_history(
    clock: EpisodeClock, ready: float, history: Sequence[TrajectoryMessage], times: EventTimes
) -> tuple[list[_Step], tuple[str, ...]]:
    steps: list[_Step] = []
    prompt: list[str] = []
    last = ready
    for index, entry in enumerate(history):
        message, role = entry.message, entry.message.get("role")
        now = last if entry.time is None else max(last, clock.at(entry.time))
        if role == "assistant":
            steps.append(_answered(message, times.model(index), last, now, clock))
            steps[-1].position = index
            last = steps[-1].model.end
        elif not steps:
            prompt.append(cut(as_text(message)))
        else:
            _add(steps[-1], message, times.tool(index), now, clock)
            last = max(last, steps[-1].act.end) if role == "tool" else last
        if steps:
            steps[-1].raw.append(raw_message(message))
    return steps, tuple(prompt)


def _answered(
    message: dict[str, Any], event: tuple[Event, ModelCalled] | None, last: float, now: float, clock: EpisodeClock
) -> _Step:
    """Begin a step with an answer of the model."""
    extra = message.get("extra")
    recorded = extra.get("usage") if isinstance(extra, dict) else None
    usage = _usage(recorded if isinstance(recorded, dict) else {})
    span, estimated, first = Span(min(last, now), now), True, None
    if event is not None:
        happened, details = event
        usage = details.usage or usage
        first = None if details.first_token_at is None else clock.at(details.first_token_at)
        estimated = happened.started_at is None
        span = clock.span(happened.started_at or happened.time, happened.time)
        if estimated:
            span = Span(min(last, span.end), span.end)
    step = _Step(model=span, act=Span(span.end, span.end), first_token=first, estimated=estimated, usage=usage)
    step.thought, step.reasoning = cut(as_text(message)), cut(as_text(message, "reasoning_content"))
    given = message.get("tool_calls")
    parsed = [_call(call) for call in given if isinstance(call, dict)] if isinstance(given, list) else []
    step.calls = [call for call, _ in parsed]
    if parsed:
        step.said = parsed[0][1]
    return step


def _usage(recorded: dict[str, Any]) -> Usage:
    known = {
        name: value
        for name, value in recorded.items()
        if name in Usage.model_fields and isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    }
    return Usage(**{name: value if name == "cost" else int(value) for name, value in known.items()})


def _call(call: dict[str, Any]) -> tuple[ShownCall, Said]:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    tool, given = str(function.get("name") or "unknown"), function.get("arguments")
    arguments: object = given
    if isinstance(given, str):
        try:
            arguments = json.loads(given)
        except ValueError:
            arguments = {"raw": given}
    known: dict[str, object] = arguments if isinstance(arguments, dict) else {"raw": given}
    command = known.get("command")
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        known = {**known, "command": (command := " ".join(command))}
    text = next((known[key] for key in ("command", "message", "raw") if isinstance(known.get(key), str)), None)
    if not isinstance(text, str):
        text = json.dumps(known, ensure_ascii=False, indent=1) if known else ""
    said = describe_tool(tool, command if isinstance(command, str) else None, known)
    return ShownCall(tool=tool, text=cut(text), to=str(known.get("to") or "")[:100]), said


def _add(
    step: _Step,
    message: dict[str, Any],
    event: tuple[Event, ToolReturned] | None,
    now: float,
    clock: EpisodeClock,
) -> None:
    """Add what came after the answer of the model: a result of a tool, or what the member was given."""
    if message.get("role") != "tool":
        step.notes.append(cut(as_text(message)))
        return
    extra = message.get("extra")
    extra = extra if isinstance(extra, dict) else {}
    code = extra.get("returncode")
    code = code if isinstance(code, int) and not isinstance(code, bool) else None
    step.answers.append(
        ShownAnswer(
            text=cut(as_text(message).removeprefix(f"exit code: {code}\n")),
            exit_code=code,
            truncated=extra.get("truncated") is True,
        )
    )
    if event is None:
        begin, end = step.act.begin, max(now, step.act.end)
    else:
        begin, end = clock.span(event[0].started_at or event[0].time, event[0].time)
        begin = begin if event[0].started_at else step.act.begin
        code = event[1].exit_code if code is None else code
        step.timed_out |= event[1].timed_out
        step.changed.update(dict.fromkeys(event[1].changed or ()))
    step.act = Span(begin if len(step.answers) == 1 else step.act.begin, max(end, step.act.end))
    step.timed_out |= extra.get("timed_out") is True
    step.exit_code = step.exit_code or code


def _place_by_time(clock: EpisodeClock, steps: Sequence[_Step], times: EventTimes) -> None:
    """Give commands that no message stands for to the step in which they ran; those before the first belong to getting ready."""
    for event, details in [*times.tools.values(), *times.unplaced_tools]:
        span = clock.span(event.started_at or event.time, event.time)
        within = [step for step in steps if step.model.end <= span.begin + _GAP]
        if within:
            step = within[-1]
            step.act = Span(
                step.act.begin if step.changed or step.exit_code else span.begin, max(step.act.end, span.end)
            )
            step.exit_code = step.exit_code or details.exit_code
            step.timed_out |= details.timed_out
            step.changed.update(dict.fromkeys(details.changed or ()))


def _from_events(clock: EpisodeClock, times: EventTimes) -> list[_Step]:
    """Make steps of the events alone: some agents report only at their end, or nothing.

    Commands before the first call of a model are part of getting ready.
    """
    models, tools = (
        times.unplaced_models + list(times.models.values()),
        times.unplaced_tools + list(times.tools.values()),
    )
    steps: list[_Step] = []
    for event, details in sorted([*models, *tools], key=_sequence):
        span = clock.span(event.started_at or event.time, event.time)
        if isinstance(details, ModelCalled):
            steps.append(_Step(model=span, act=Span(span.end, span.end), usage=details.usage or Usage()))
            steps[-1].estimated = event.started_at is None
        elif isinstance(details, ToolReturned) and (steps or not models):
            if not models or steps[-1].calls:
                steps.append(_Step(model=Span(span.begin, span.begin), act=span))
            _add_command(steps[-1], details, span)
    return steps


def _sequence(pair: tuple[Event, object]) -> int:
    return pair[0].sequence


def _add_command(step: _Step, details: ToolReturned, span: Span) -> None:
    tool = details.tool or "tool"
    command = details.command or ""
    step.act = span
    step.said = describe_command(command) if command else describe_tool(tool, None, {})
    step.calls.append(ShownCall(tool=tool, text=cut(command)))
    step.exit_code, step.timed_out = details.exit_code, details.timed_out
    step.changed.update(dict.fromkeys(details.changed or ()))


def _add_waits(clock: EpisodeClock, steps: Sequence[_Step], events: Sequence[Event]) -> None:
    for wait in _waits(clock, events):
        within = [step for step in steps if step.model.begin <= wait.span.begin + _GAP]
        if within:
            within[-1].waits.append(wait)


def _waits(clock: EpisodeClock, events: Sequence[Event]) -> Iterator[Wait]:
    for event in events:
        details = event.details
        if isinstance(details, MessageWait) and event.started_at is not None:
            what = f"for {details.sender or 'anybody'}, ended by {details.ended_by.replace('_', ' ')}"
            yield Wait(span=clock.span(event.started_at, event.time), kind="message", what=what)
        elif isinstance(details, ProviderWait):
            yield Wait(span=clock.span(event.time, details.until), kind="model", what=details.reason)


def _finished(number: int, step: _Step, repeat: int) -> LaneStep:
    return LaneStep(
        number=number,
        action=step.said.action,
        label=step.said.label[:60],
        model=step.model,
        act=Span(max(step.act.begin, step.model.end), max(step.act.end, step.model.end)),
        first_token=step.first_token,
        estimated=step.estimated,
        waits=tuple(step.waits),
        exit_code=step.exit_code,
        failed=bool(step.exit_code) or step.timed_out,
        timed_out=step.timed_out,
        calls=max(1, len(step.calls)),
        repeat=repeat,
        cost=step.usage.cost,
        input_tokens=step.usage.input_tokens,
        output_tokens=step.usage.output_tokens,
        changed=tuple(step.changed),
        position=step.position,
    )


def _details(step: _Step) -> StepDetails:
    return StepDetails(
        thought=step.thought,
        reasoning=step.reasoning,
        calls=tuple(step.calls),
        answers=tuple(step.answers),
        notes=tuple(step.notes),
        raw=tuple(step.raw),
    )
