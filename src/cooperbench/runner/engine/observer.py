"""Follow the engine at work: the interface of displays."""

from typing import Protocol

from cooperbench.records import EpisodeResult, Evaluation, Failure, GroupKey
from cooperbench.records.live import Counts
from cooperbench.runner.planning.plan import Plan


class Observer(Protocol):
    """Follows a session. Its methods are called from the engine's thread."""

    def begin(self, plan: Plan, counts: Counts) -> None:
        """Begin."""
        ...

    def note(self, text: str) -> None:
        """Show something that the user should know."""
        ...

    def episode_ended(self, result: EpisodeResult) -> None:
        """Show that an episode has its result."""
        ...

    def evaluated(self, group: GroupKey, verdict: Evaluation | Failure) -> None:
        """Show an episode's evaluation, or why there is none."""
        ...

    def tick(self, counts: Counts) -> None:
        """Update the numbers, about twice a second."""
        ...

    def end(self, counts: Counts) -> None:
        """End; the terminal belongs to the caller again."""
        ...


class Silent:
    """Shows nothing."""

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
