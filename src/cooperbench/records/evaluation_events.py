"""The events of an evaluation, made of `eval.json` when an episode's events are read: merges and suites with start and end."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from cooperbench.records.base import Record
from cooperbench.records.event_details import StageMerged, SuiteTested
from cooperbench.records.events import Event
from cooperbench.records.verdict import Evaluation


class _EvaluationPart(NamedTuple):
    ended_at: datetime
    started_at: datetime | None
    kind: str
    details: Record


def evaluation_events(evaluation: Evaluation, first: int) -> tuple[Event, ...]:
    """Return what happened in an evaluation, in order, numbered from `first`. Earlier evaluations have no times, and no events."""
    parts = sorted(_parts(evaluation), key=lambda part: part.ended_at)
    return tuple(
        Event(
            sequence=first + number,
            time=part.ended_at,
            started_at=part.started_at,
            kind=part.kind,
            data=part.details.model_dump(mode="json", exclude_none=True),
        )
        for number, part in enumerate(parts)
    )


def _parts(evaluation: Evaluation) -> Iterator[_EvaluationPart]:
    for stage in evaluation.stages:
        if stage.ended_at is not None:
            conflicts = tuple(conflict.path for step in stage.steps for conflict in step.conflicts)
            merged = StageMerged(stage=stage.name, status=stage.status.value, conflicts=conflicts)
            yield _EvaluationPart(stage.ended_at, stage.started_at, "merge.stage", merged)
        for suite in stage.suites if stage.same_as is None else ():
            if suite.ended_at is not None:
                tested = SuiteTested(
                    stage=stage.name, feature=suite.feature, outcome=suite.outcome.value, reason=suite.reason
                )
                yield _EvaluationPart(suite.ended_at, suite.started_at, "suite.run", tested)
