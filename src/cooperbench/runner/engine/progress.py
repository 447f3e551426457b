"""What the engine tells about its work, for displays."""

from typing import NamedTuple, Protocol

from cooperbench.records import EpisodeResult, Evaluation, Failure, GroupKey
from cooperbench.runner.planning.plan import Plan


class Counts(NamedTuple):
    """The whole run at one moment."""

    planned: int
    """Episodes of the run."""
    reused: int
    """Finished in an earlier session."""
    completed: int
    """Finished altogether."""
    running: int
    seats: int | None
    """How many could run at the same time; `None` when that is not known from outside."""
    infra_errors: int
    evaluated: int
    passed: int
    cost: float | None
    """US dollars of all model calls of the run so far, also of attempts that came to nothing; `None` when a finished episode's is unknown."""
    seconds: float
    """Of this session."""
    seconds_left: float | None = None
    """Forecast."""
    cost_left: float | None = None
    """Forecast, US dollars."""


class Observer(Protocol):
    """Is told what happens, from the engine's thread."""

    def begin(self, plan: Plan, counts: Counts) -> None:
        """Work begins."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know."""
        ...

    def episode_ended(self, result: EpisodeResult) -> None:
        """An episode has its result."""
        ...

    def evaluated(self, group: GroupKey, verdict: Evaluation | Failure) -> None:
        """An episode was judged, or could not be."""
        ...

    def tick(self, counts: Counts) -> None:
        """Called about twice a second."""
        ...

    def end(self, counts: Counts) -> None:
        """Work is over; the terminal belongs to the caller again."""
        ...


class Silent:
    """Tells nobody."""

    def begin(self, plan: Plan, counts: Counts) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""

    def episode_ended(self, result: EpisodeResult) -> None:
        """Ignore."""

    def evaluated(self, group: GroupKey, verdict: Evaluation | Failure) -> None:
        """Ignore."""

    def tick(self, counts: Counts) -> None:
        """Ignore."""

    def end(self, counts: Counts) -> None:
        """Ignore."""
