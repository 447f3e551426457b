"""How submissions are evaluated: what a verdict depends on, where it runs, and how many suites at a time."""

from dataclasses import dataclass, field, replace
from typing import Literal, Self, TypeVar

from pydantic import ValidationError

from cooperbench.environments import Capability, capabilities
from cooperbench.errors import UsageError
from cooperbench.evaluation.policies import DEFAULT_POLICY, check_policy
from cooperbench.evaluation.resolver import Resolver
from cooperbench.evaluation.slots import TestSlots
from cooperbench.records import EvaluationChoices
from cooperbench.tasks import Task

T = TypeVar("T", bound=EvaluationChoices)


@dataclass(frozen=True)
class EvaluationSettings:
    """What all evaluations of a batch have in common."""

    backend: str = "local"
    policy: str = DEFAULT_POLICY
    """The policy whose stages have to be there."""
    choices: EvaluationChoices = field(default_factory=EvaluationChoices)
    """What the stages depend on."""
    resolver: Resolver | None = None
    workers: int | None = None
    """Suites of one evaluation side by side; by default one for each processor."""
    slots: TestSlots | None = None
    """Shared by the evaluations of a batch."""
    protected: bool = True
    """Leave out what is not work, and fail what changes tests while they run. Off only where attacks are measured."""
    run_policy: str | None = None
    """The policy of the record's `verdict`, once its stages are there; by default `policy`."""

    def checked(self) -> Self:
        """Return the settings with the policy's full name.

        Raises `UnknownNameError` for an unknown policy, and `UsageError` for one that lacks its resolver.
        """
        return replace(self, policy=check_policy(self.policy, resolver=self.resolver is not None))

    def network(self, task: Task) -> Literal["default", "none", "full"]:
        """Return the network of a task's sandboxes. Bundled tasks install nothing; published runners usually do."""
        if self.choices.network is not None:
            return self.choices.network
        return "none" if task.recipe.bundled and self.may_cut_off else "default"

    @property
    def may_cut_off(self) -> bool:
        """True if sandboxes whose suites install nothing are to have no network: one run must not tell another what it saw."""
        return self.choices.network is None and Capability.NETWORK_OFF in capabilities(self.backend)


def read_choices(kind: type[T], **values: object) -> T:
    """Make choices of a kind. Raises `UsageError` for the first value that makes no sense."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{place}: {first['msg']}", subject=place) from error
