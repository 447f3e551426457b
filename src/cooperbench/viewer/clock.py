"""Moments as seconds from the beginning of an episode."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Span(NamedTuple):
    """Two moments."""

    begin: float
    end: float


@dataclass(frozen=True)
class EpisodeClock:
    """Turns the record's times into seconds from `zero`, to a tenth of a millisecond."""

    zero: datetime

    def at(self, time: datetime) -> float:
        """Return the seconds from the beginning; 0 for what lies before it."""
        return max(0.0, round((time - self.zero).total_seconds(), 4))

    def span(self, begin: datetime, end: datetime) -> Span:
        """Return both moments; a span that would end before it begins has no length."""
        first = self.at(begin)
        return Span(first, max(first, self.at(end)))
