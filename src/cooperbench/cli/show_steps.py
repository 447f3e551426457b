"""Print what members did in one episode, step by step, and the messages between them."""

from collections.abc import Iterator, Sequence

from cooperbench.cli.output import counted
from cooperbench.records.visible import one_line, quoted
from cooperbench.viewer.clock import Span
from cooperbench.viewer.details import DetailChunk, StepDetails
from cooperbench.viewer.models import EpisodePage, Lane, LaneStep, ShownMessage

_MARK = "    | "
SHOWN = 6
"""Lines of a command and of an output without --text."""


def step_lines(
    page: EpisodePage, chunks: Sequence[DetailChunk], agents: Sequence[str], *, text: bool, errors_only: bool
) -> Iterator[str]:
    """Yield the steps of some members, one member after the other.

    Without `text` long commands and outputs are cut, which is said; with `errors_only` only what went wrong is there.
    """
    for lane in page.lanes:
        if lane.agent_id not in agents:
            continue
        details = [step for chunk in chunks if chunk.agent_id == lane.agent_id for step in chunk.steps]
        yield from _lane_lines(lane)
        if text and not errors_only:
            prompt = next((chunk.prompt for chunk in chunks if chunk.agent_id == lane.agent_id), ())
            for part in prompt:
                yield "  prompt:"
                yield quoted(part, _MARK).rstrip("\n")
        for step, said in zip(lane.steps, details, strict=False):
            if not errors_only or step.failed:
                yield from _step_lines(lane, step, said, text=text)
        for mark in lane.marks:
            yield one_line(f"  {mark.time:.1f} s  {mark.kind}: {mark.text}")


def message_lines(page: EpisodePage, agents: Sequence[str], *, text: bool, errors_only: bool) -> Iterator[str]:
    """Yield the messages from and to some members in the order of the broker; with `errors_only` those refused or not read."""
    found = [each for each in page.messages if each.sender in agents or each.to in agents]
    shown = [each for each in found if not errors_only or each.refused or each.read is None]
    if found:
        yield f"messages: {len(shown)} of {len(found)}" if len(shown) < len(found) else f"messages: {len(found)}"
    for each in shown:
        yield from _message_lines(each, text=text)


def _lane_lines(lane: Lane) -> Iterator[str]:
    ending = lane.ending or "at work"
    features = ", ".join(map(str, lane.features))
    yield one_line(
        f"{lane.agent_id} (feature {features}; {lane.agent} with {lane.model}): {ending} "
        f"after {counted(len(lane.steps), 'step')} and {lane.end - lane.begin:.1f} s, {_cost(lane.cost)}"
    )


def _step_lines(lane: Lane, step: LaneStep, said: StepDetails, *, text: bool) -> Iterator[str]:
    spent = f"{_cost(step.cost)}, model {_seconds(step.model)}, {_seconds(step.act)}"
    tokens = f", {step.input_tokens} + {step.output_tokens or 0} tokens" if step.input_tokens is not None else ""
    wrong = ", timed out" if step.timed_out else f", exit code {step.exit_code}" if step.exit_code is not None else ""
    again = f", done {step.repeat} times" if step.repeat > 1 else ""
    changed = f", changed {', '.join(step.changed)}" if step.changed else ""
    yield one_line(
        f"  {lane.agent_id}.{step.number} at {step.model.begin:.1f} s: {step.label} ({spent}{tokens}{wrong}{again}{changed})"
    )
    if said.reasoning and text:
        yield "    reasoning:"
        yield quoted(said.reasoning, _MARK).rstrip("\n")
    if said.thought:
        yield from _part(said.thought, "    ", text=text)
    for call in said.calls:
        to = f" to {call.to}" if call.to else ""
        mark = "    $ " if call.tool == "bash" else f"    {one_line(call.tool)}{one_line(to)}: "
        yield from _part(call.text, mark, text=text)
    for answer in said.answers:
        yield from _part(answer.text, _MARK, text=text, tail=True)
        if answer.truncated:
            yield "    (the agent saw no more of this output, and the record has no more)"
    for note in said.notes:
        yield from _part(note, "    > ", text=text)


def _part(content: str, mark: str, *, text: bool, tail: bool = False) -> Iterator[str]:
    """Yield the lines of a text: all of them with `text`, else the first ones, or the last ones of an output."""
    lines = quoted(content, mark).rstrip("\n").split("\n") if content.strip() else []
    left = len(lines) - SHOWN
    if text or left <= 1:
        yield from lines
    elif tail:
        yield f"    ({left} lines left out; --text prints them)"
        yield from lines[-SHOWN:]
    else:
        yield from lines[:SHOWN]
        yield f"    ({left} lines left out; --text prints them)"


def _message_lines(message: ShownMessage, *, text: bool) -> Iterator[str]:
    read = "refused: " + message.refused if message.refused else "not read"
    if message.read is not None:
        read = f"read {message.read - message.sent:.1f} s later"
    question = ", a question" if message.question else ""
    head = f"  {message.number} at {message.sent:.1f} s: {message.sender} to {message.to} ({read}{question})"
    yield one_line(head)
    yield from _part(message.text, "    > ", text=text)


def _cost(cost: float | None) -> str:
    return "cost unknown" if cost is None else f"${cost:.4f}"


def _seconds(span: Span) -> str:
    length = span.end - span.begin
    return f"{length:.1f} s" if length >= 0.1 else f"{1000 * length:.0f} ms"
