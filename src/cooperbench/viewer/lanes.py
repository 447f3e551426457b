"""A member's lane: who it is, when it began and ended, its steps, and what happened to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cooperbench.records import Event, Failure, FeatureId, Member, MemberResult, Usage
from cooperbench.records.event_details import MemberAskedToEnd, MemberRescued
from cooperbench.records.host_paths import recorded_model
from cooperbench.viewer.clock import EpisodeClock
from cooperbench.viewer.models import CHUNK, Lane, Mark
from cooperbench.viewer.steps import MemberSteps
from cooperbench.viewer.texts import cut


@dataclass(frozen=True)
class MemberFacts:
    """What is known of a member besides its events."""

    agent_id: str
    agent: str
    model: str
    features: tuple[FeatureId, ...]
    title: str = ""
    begin: float = 0.0
    end: float | None = None
    ending: str = ""
    limit: str = ""
    error: Failure | None = None
    usage: Usage | None = None
    patch_lines: int = 0

    @classmethod
    def of_result(cls, clock: EpisodeClock, member: MemberResult, titles: Mapping[FeatureId, str]) -> "MemberFacts":
        """Take the facts of a member that has ended."""
        limit = member.limit
        return cls(
            agent_id=member.agent_id,
            agent=member.agent,
            model=recorded_model(member.model),
            features=member.features,
            title="; ".join(titles[feature] for feature in member.features if feature in titles),
            begin=clock.at(member.started_at),
            end=clock.at(member.ended_at),
            ending=member.ending.value,
            limit=f"{limit.kind.replace('_', ' ')} limit: {limit.value:g} of {limit.limit:g}" if limit else "",
            error=member.error,
            usage=member.usage,
            patch_lines=member.submission.lines if member.submission else 0,
        )

    @classmethod
    def at_work(cls, agent_id: str, features: tuple[FeatureId, ...], member: Member | None) -> "MemberFacts":
        """Take the facts of a member at work."""
        return cls(
            agent_id=agent_id,
            agent=member.agent if member else "",
            model=recorded_model(member.model) if member else "",
            features=features,
        )


def member_lane(
    facts: MemberFacts, ready: float, steps: MemberSteps, events: Sequence[Event], clock: EpisodeClock, now: float
) -> Lane:
    """Put together the lane of one member. `now` ends the lane of a member at work."""
    usage = facts.usage or _sum(steps)
    end = now if facts.end is None else facts.end
    return Lane(
        agent_id=facts.agent_id,
        agent=facts.agent,
        model=facts.model,
        features=facts.features,
        title=cut(facts.title),
        begin=facts.begin,
        ready=ready,
        end=end,
        ending=facts.ending,
        steps=steps.steps,
        marks=_marks(facts, end, events, clock),
        cost=usage.cost,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        patch_lines=facts.patch_lines,
        chunks=max(1, -(-len(steps.details) // CHUNK)),
    )


def _marks(facts: MemberFacts, end: float, events: Sequence[Event], clock: EpisodeClock) -> tuple[Mark, ...]:
    marks = []
    for event in events:
        details = event.details
        if isinstance(details, MemberAskedToEnd):
            marks.append(Mark(time=clock.at(event.time), kind="asked", text=cut(f"asked to end: {details.why}")))
        elif isinstance(details, MemberRescued):
            said = "its work was found" if details.found else "no work was found"
            marks.append(Mark(time=clock.at(event.time), kind="rescued", text=f"its process ended; {said}"))
    if facts.error is not None:
        error = facts.error
        marks.append(Mark(time=end, kind="error", text=cut(f"{error.boundary}: {error.kind}: {error.message}")))
    if facts.limit:
        marks.append(Mark(time=end, kind="limit", text=facts.limit))
    elif facts.ending not in ("submitted", "") and facts.error is None:
        marks.append(Mark(time=end, kind="ended", text=facts.ending))
    return tuple(marks)


def _sum(steps: MemberSteps) -> Usage:
    def total(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    tokens_in, tokens_out = total([s.input_tokens for s in steps.steps]), total([s.output_tokens for s in steps.steps])
    return Usage(
        cost=total([step.cost for step in steps.steps]),
        input_tokens=None if tokens_in is None else int(tokens_in),
        output_tokens=None if tokens_out is None else int(tokens_out),
    )
