"""Leaderboards of bundles: one for each data revision, set of groups, setting, policy and evaluator; never one across them.

A rank says no more than the groups do: it is one more than the number of entries that pass significantly more of the same groups, by
paired tests that know about pools, with Holm's correction for their number. Episodes without a verdict count as failed, so that leaving
out what is hard gains nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

from cooperbench.analysis.statistics import RateEstimate, adjust, paired, rate
from cooperbench.records import EvaluationChoices, Outcome, Setting
from cooperbench.records.published import PublishedRun, Verification

SIGNIFICANT = 0.05


class BoardKey(NamedTuple):
    """The conditions that all entries of a leaderboard have in common."""

    data: str
    revision: str | None
    groups: tuple[str, ...]
    setting: Setting
    git: bool
    messaging: bool
    task_board: bool
    policy: str
    evaluator: str
    choices: str
    """As JSON, without those that verdicts do not depend on."""


@dataclass(frozen=True)
class LeaderboardEntry:
    """One run of one bundle."""

    team: str
    run: PublishedRun
    policy: str
    digest: str
    """Of the bundle."""
    source: str
    """Name of the bundle's folder or archive."""
    verification: Verification | None
    """Found beside the bundle."""
    rank: int = 1
    shared: int = 1
    """Entries with this rank."""

    @property
    def key(self) -> BoardKey:
        """The leaderboard that it belongs to."""
        run = self.run
        return BoardKey(
            data=run.data.dataset,
            revision=run.data.revision,
            groups=tuple(sorted(self.outcomes)),
            setting=run.setting,
            git=run.git,
            messaging=run.messaging,
            task_board=run.task_board,
            policy=self.policy,
            evaluator=run.evaluator,
            choices=run.choices.model_dump_json(exclude={"singles", "install"}),
        )

    @property
    def choices(self) -> EvaluationChoices:
        """The choices of its evaluation."""
        return self.run.choices

    @property
    def members(self) -> dict[str, int]:
        """The members as `agent:model`, equal ones counted."""
        return dict(Counter(f"{each.agent}:{each.model}" for each in self.run.members))

    @property
    def outcomes(self) -> dict[str, float]:
        """The share of passed repeats of each group; a missing verdict is a failure."""
        found: dict[str, list[float]] = {}
        for each in self.run.episodes:
            found.setdefault(str(each.group.first), []).append(float(each.outcome is Outcome.PASSED))
        return {group: sum(passed) / len(passed) for group, passed in sorted(found.items())}

    @property
    def pools(self) -> list[str]:
        """The pool of features of each of its groups, in their order."""
        pools = {str(each.group.first): each.group.task for each in self.run.episodes}
        return [pools[group] for group in self.outcomes]

    @property
    def rate(self) -> RateEstimate:
        """The pass rate over all planned groups."""
        return rate(list(self.outcomes.values()), self.pools)

    @property
    def missing(self) -> int:
        """Episodes without a verdict."""
        return self.run.planned - self.run.judged


@dataclass(frozen=True)
class Board:
    """A ranked leaderboard."""

    key: BoardKey
    entries: tuple[LeaderboardEntry, ...]
    comparisons: int
    """Pairs of entries that were tested."""


def rank_boards(entries: Iterable[LeaderboardEntry]) -> tuple[Board, ...]:
    """Put entries on their leaderboards, and rank each. Entries of the same rank are in the order of their rates."""
    found: dict[BoardKey, list[LeaderboardEntry]] = {}
    for entry in entries:
        found.setdefault(entry.key, []).append(entry)
    return tuple(_rank(key, found[key]) for key in sorted(found, key=str))


def _rank(key: BoardKey, entries: Sequence[LeaderboardEntry]) -> Board:
    pairs = list(combinations(range(len(entries)), 2))
    values = [list(entry.outcomes.values()) for entry in entries]
    found = [paired(values[one], values[other], entries[one].pools) for one, other in pairs]
    adjusted = adjust([each.p for each in found]) if len(found) > 1 else [each.p for each in found]
    better = [0] * len(entries)
    for (one, other), test, p in zip(pairs, found, adjusted, strict=True):
        if p < SIGNIFICANT and test.difference:
            better[other if test.difference > 0 else one] += 1
    ranked = [
        replace(entry, rank=1 + above, shared=better.count(above)) for entry, above in zip(entries, better, strict=True)
    ]
    ranked.sort(key=lambda entry: (entry.rank, -sum(entry.outcomes.values()), entry.team, entry.run.run, entry.digest))
    return Board(key, tuple(ranked), len(pairs))
