"""How an evaluation is made: what its verdict depends on, and where and how many at a time it runs."""

from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from cooperbench.errors import UsageError
from cooperbench.evaluation.policies import DEFAULT_POLICY
from cooperbench.evaluation.resolver import Resolver
from cooperbench.evaluation.slots import TestSlots
from cooperbench.records import EvaluationChoices

T = TypeVar("T", bound=EvaluationChoices)


@dataclass(frozen=True)
class EvaluationSettings:
    """What every evaluation of a batch has in common."""

    backend: str = "local"
    policy: str = DEFAULT_POLICY
    choices: EvaluationChoices = field(default_factory=EvaluationChoices)
    """What the stages depend on."""
    resolver: Resolver | None = None
    workers: int | None = None
    """Suites of one evaluation side by side; by default one for each processor."""
    slots: TestSlots | None = None
    """Shared by the evaluations of a batch."""


def read_choices(kind: type[T], **values: object) -> T:
    """Make choices of the named kind. Raises `UsageError` with the first one that cannot be meant."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{place}: {first['msg']}", subject=place) from error
