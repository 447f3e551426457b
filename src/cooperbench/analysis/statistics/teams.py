"""Who works well with whom, and what each member adds.

Teammates are not opponents: a pass is an achievement of both, so cross-play takes an additive model, `logit P = s_i + s_j + h [i = j]`.
Bradley-Terry ranks teams that worked on the same groups. There is no Elo: its result depends on the order of the games.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cooperbench.errors import UsageError


@dataclass(frozen=True)
class CrossPlay:
    """Strength of each agent as a partner, and the advantage of being paired with itself, in log odds."""

    names: tuple[str, ...]
    strength: tuple[float, ...]
    own_play: float
    own_play_error: float
    own_play_p: float
    deviance: float
    own_rate: float
    """Share of passes of teams of one agent with itself."""
    cross_rate: float


@dataclass(frozen=True)
class Ranking:
    """Bradley-Terry log strengths that sum to 0, with standard errors."""

    log_strength: tuple[float, ...]
    error: tuple[float, ...]

    def beats(self, first: int, second: int) -> float:
        """Return the probability that one passes, given that exactly one of the two does."""
        return float(special.expit(self.log_strength[first] - self.log_strength[second]))

    @property
    def elo_scale(self) -> tuple[float, ...]:
        """The same strengths on the scale of Elo ratings, 400 points for odds of 10, around 0."""
        return tuple(value * 400 / math.log(10) for value in self.log_strength)


def cross_play(cells: Mapping[tuple[str, str], tuple[int, int]]) -> CrossPlay:
    """Fit partners' strengths from `(passed, n)` of each pairing. Raises `UsageError` where they cannot be separated."""
    names = tuple(sorted({name for pair in cells for name in pair}))
    own = [pair[0] == pair[1] for pair in cells]
    counts = np.asarray(list(cells.values()), dtype=np.float64)
    if not any(own) or all(own) or np.any(counts < 0) or np.any(counts[:, 0] > counts[:, 1]):
        raise UsageError("cross-play needs (passed, n) of teams with oneself and with others")
    design = np.zeros((len(cells), len(names) + 1))
    for row, pair in enumerate(cells):
        for name in pair:
            design[row, names.index(name)] += 1
        design[row, -1] = own[row]
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise UsageError("too few pairings to separate the partners", hint="let each agent work with two others")
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    fitted = GLM(np.column_stack([counts[:, 0], counts[:, 1] - counts[:, 0]]), design, family=Binomial()).fit()
    inside = np.asarray(own)
    own_sum, cross_sum = counts[inside].sum(axis=0), counts[~inside].sum(axis=0)
    return CrossPlay(
        names=names,
        strength=tuple(float(value) for value in fitted.params[:-1]),
        own_play=float(fitted.params[-1]),
        own_play_error=float(fitted.bse[-1]),
        own_play_p=float(fitted.pvalues[-1]),
        deviance=float(fitted.deviance),
        own_rate=float(own_sum[0] / own_sum[1]),
        cross_rate=float(cross_sum[0] / cross_sum[1]),
    )


def bradley_terry(wins: ArrayLike, *, prior: float = 0.0, iterations: int = 10_000) -> Ranking:
    """Rank by maximum likelihood, with Hunter's MM iteration (Hunter 2004). `wins[i][j]`: groups that only i of the two passed.

    `prior` is added to each pair's wins in both directions; it keeps strengths finite where somebody never won. Raises `UsageError`.
    """
    won = np.asarray(wins, dtype=np.float64)
    if won.ndim != 2 or won.shape[0] != won.shape[1] or len(won) < 2 or np.any(won < 0):
        raise UsageError("Bradley-Terry needs a square table of wins")
    won = won + prior * (1 - np.eye(len(won)))
    games = won + won.T
    reachable = np.linalg.matrix_power((won > 0) + np.eye(len(won)), len(won)) > 0
    if not reachable.all():
        raise UsageError("somebody won or lost everything: no strength is finite", hint="pass prior=0.5")
    strength = np.ones(len(won))
    for _ in range(iterations):
        joint = games / (strength[:, None] + strength[None, :])
        fresh = won.sum(axis=1) / joint.sum(axis=1)
        fresh /= np.exp(np.log(fresh).mean())
        settled = np.max(np.abs(np.log(fresh) - np.log(strength))) < 1e-13
        strength = fresh
        if settled:
            break
    chance = strength[:, None] / (strength[:, None] + strength[None, :])
    information = -games * chance * (1 - chance)
    np.fill_diagonal(information, 0.0)
    np.fill_diagonal(information, -information.sum(axis=1))
    errors = np.sqrt(np.diag(np.linalg.pinv(information)))
    return Ranking(tuple(np.log(strength).tolist()), tuple(errors.tolist()))


def shapley(value: Mapping[frozenset[str], float], members: Sequence[str]) -> dict[str, float]:
    """Return each member's Shapley value from the worth of every coalition, the empty one included (Shapley 1953)."""
    _check_coalitions(value, members)
    size = len(members)
    shares = dict.fromkeys(members, 0.0)
    for member in members:
        others = [name for name in members if name != member]
        for count in range(size):
            weight = math.factorial(count) * math.factorial(size - count - 1) / math.factorial(size)
            for chosen in combinations(others, count):
                shares[member] += weight * (value[frozenset(chosen) | {member}] - value[frozenset(chosen)])
    return shares


def difference_rewards(value: Mapping[frozenset[str], float], members: Sequence[str]) -> dict[str, float]:
    """Return what the whole team loses without each member (Wolpert & Tumer 2002)."""
    _check_coalitions(value, members)
    everybody = frozenset(members)
    return {member: value[everybody] - value[everybody - {member}] for member in members}


def _check_coalitions(value: Mapping[frozenset[str], float], members: Sequence[str]) -> None:
    wanted = [frozenset(chosen) for count in range(len(members) + 1) for chosen in combinations(members, count)]
    missing = [coalition for coalition in wanted if coalition not in value]
    if missing:
        raise UsageError(f"the worth of {'+'.join(sorted(missing[0])) or 'nobody'} is missing")
