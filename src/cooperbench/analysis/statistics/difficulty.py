"""The paper's Algorithm 1: how hard each group is by its solo rate, and how the gap depends on that.

Difficulty is `d = 1 - mean over models of solo`, scaled to 0..1 within the set of groups, and put into ten buckets. Solo rates
by bucket follow from the definition (they fall by construction); only the distance of the two curves says something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cooperbench.analysis.statistics._numbers import Numbers, outcomes
from cooperbench.errors import UsageError

BUCKETS = 10
# Binary fractions: 10 * 0.3 is 2.9999999999999996.
_SLACK = 1e-9


@dataclass(frozen=True)
class Bucket:
    """Groups of one tenth of the difficulty range, counted over all models."""

    number: int
    midpoint: float
    n: int
    solo_passed: float
    coop_passed: float

    @property
    def solo_rate(self) -> float:
        """Share of passed solo episodes."""
        return self.solo_passed / self.n

    @property
    def coop_rate(self) -> float:
        """Share of passed coop episodes."""
        return self.coop_passed / self.n


@dataclass(frozen=True)
class DifficultyCurve:
    """Solo and coop rates by difficulty; empty buckets are left out and bridged by a straight line."""

    difficulty: Numbers
    relative: Numbers
    bucket_of: NDArray[np.intp]
    buckets: tuple[Bucket, ...]
    auc_solo: float
    auc_coop: float

    @property
    def retention(self) -> float | None:
        """The area under coop over that under solo; `None` where nothing passed solo."""
        return retention(self.auc_solo, self.auc_coop)


def difficulty(solo: Mapping[str, ArrayLike]) -> Numbers:
    """Return `1 - mean over models of solo` for each group; every model has one outcome for each. Raises `UsageError`."""
    return np.asarray(1.0 - _matrix(solo, "solo").mean(axis=0), dtype=np.float64)


def leave_one_out(solo: Mapping[str, ArrayLike]) -> dict[str, Numbers]:
    """Return for each model the difficulty by the other models, which does not depend on its own outcome. Raises `UsageError`."""
    if len(solo) < 2:
        raise UsageError("leaving one model out needs two models")
    return {name: difficulty({other: solo[other] for other in solo if other != name}) for name in solo}


def relative_difficulty(values: ArrayLike) -> Numbers:
    """Scale difficulties to 0..1 within the set; equal difficulties all become 0."""
    numbers = np.asarray(values, dtype=np.float64)
    span = numbers.max() - numbers.min()
    return (numbers - numbers.min()) / span if span > 0 else np.zeros_like(numbers)


def bucket_numbers(relative: ArrayLike, buckets: int = BUCKETS) -> NDArray[np.intp]:
    """Return the bucket of each relative difficulty: `min(floor(10 d), 9)`."""
    scaled = np.floor(np.asarray(relative, dtype=np.float64) * buckets + _SLACK)
    return np.minimum(scaled, buckets - 1).astype(np.intp)


def difficulty_curve(
    solo: Mapping[str, ArrayLike],
    coop: Mapping[str, ArrayLike],
    *,
    values: Numbers | None = None,
    buckets: int = BUCKETS,
) -> DifficultyCurve:
    """Compute Algorithm 1 for models with solo and coop outcomes of the same groups in the same order.

    `values` is the difficulty of each group where it is not that by these models, as for one model of several. Raises `UsageError`.
    """
    if set(solo) != set(coop):
        raise UsageError("solo and coop are not of the same models", hint="keep the models that have both")
    alone, together = _matrix(solo, "solo"), _matrix({name: coop[name] for name in solo}, "coop")
    if alone.shape != together.shape:
        raise UsageError("solo and coop are not of the same groups", hint="keep the groups that both have")
    values = difficulty(solo) if values is None else values
    relative = relative_difficulty(values)
    numbers = bucket_numbers(relative, buckets)
    made = []
    for number in sorted(set(numbers.tolist())):
        inside = numbers == number
        made.append(
            Bucket(
                number=number,
                midpoint=(number + 0.5) / buckets,
                n=int(inside.sum()) * len(solo),
                solo_passed=float(alone[:, inside].sum()),
                coop_passed=float(together[:, inside].sum()),
            )
        )
    x = [bucket.midpoint for bucket in made]
    return DifficultyCurve(
        difficulty=values,
        relative=relative,
        bucket_of=numbers,
        buckets=tuple(made),
        auc_solo=area(x, [bucket.solo_rate for bucket in made]),
        auc_coop=area(x, [bucket.coop_rate for bucket in made]),
    )


def area(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the area under a curve by trapezoids between the populated midpoints; 0 with a single one."""
    return float(np.trapezoid(np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)))


def retention(solo: float, coop: float) -> float | None:
    """Return the share of the solo figure that is left in coop; `None` where solo is 0."""
    return coop / solo if solo else None


def _matrix(rows: Mapping[str, ArrayLike], name: str) -> Numbers:
    if not rows:
        raise UsageError(f"{name} has no model")
    made = [outcomes(values, f"{name} of {model}") for model, values in rows.items()]
    if len({len(values) for values in made}) > 1:
        raise UsageError(f"the models of {name} have different numbers of groups", hint="keep the groups that all have")
    return np.vstack(made)
