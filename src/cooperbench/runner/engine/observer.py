"""What the engine tells about its work, for displays."""

from typing import Protocol

from cooperbench.records import EpisodeResult, Evaluation, Failure, GroupKey
from cooperbench.records.live import Counts
from cooperbench.runner.planning.plan import Plan


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
