"""What a comparison lets one say, in plain words."""

import math

from cooperbench.analysis.pairing import Pairing, average_pool_size
from cooperbench.analysis.statistics import DifferenceEstimate, power
from cooperbench.errors import UsageError
from cooperbench.records import Setting

SMALLEST = 0.05
"""Difference that is planned for where less was seen: smaller ones would need thousands of groups."""


def conclusion(pairing: Pairing, found: DifferenceEstimate, p: float) -> str:
    """Return one sentence. `p` is adjusted where there are several comparisons."""
    rates = (
        f"{pairing.first.name} passes {100 * found.rate_a:.1f} % and {pairing.second.name} {100 * found.rate_b:.1f} % "
        f"of the same {found.n} groups"
    )
    points = f"{100 * abs(found.difference):.1f} points"
    interval = _interval(found)
    if p < 0.05 and found.difference:
        return f"{_claim(pairing, found, points)}: {rates} ({interval}, p {_p(p)})."
    opening = "Nothing can be concluded yet" if not _narrow(found) else "The two hardly differ"
    return f"{opening}: {rates}, a difference of {points} ({interval}, p {_p(p)}); {needed(pairing, found)}."


def needed(pairing: Pairing, found: DifferenceEstimate) -> str:
    """Return how many groups would show the difference that was seen, or five points where less was seen."""
    effect = max(abs(found.difference), SMALLEST)
    discordant = min(1.0, max(found.discordant, effect))
    size = average_pool_size(pairing.pools) if found.clusters > 1 else None
    try:
        plan = power(effect=effect, discordant=discordant, icc=max(found.icc or 0.0, 0.0), pool_size=size)
    except UsageError:
        return f"no number of groups from so few pools shows {100 * effect:.0f} points: take groups of more tasks"
    several = size is not None and size > 1
    pools = f" in {math.ceil(plan.groups * found.clusters / found.n)} pools" if several else ""
    return f"you need about {_round(plan.groups)} groups{pools} to see {100 * effect:.0f} points"


def _claim(pairing: Pairing, found: DifferenceEstimate, points: str) -> str:
    first, second = pairing.first, pairing.second
    solo = [sample for sample in (first, second) if sample.provenance.setting == "solo"]
    if len(solo) == 1 and not all(Setting(sample.provenance.setting).alone for sample in (first, second)):
        lost = (solo[0] is first) == (found.difference > 0)
        return f"Splitting the work {'costs' if lost else 'gains'} {points}"
    better, worse = (first, second) if found.difference > 0 else (second, first)
    return f"{better.name} passes {points} more than {worse.name}"


def _narrow(found: DifferenceEstimate) -> bool:
    """Tell if the interval excludes differences of more than five points."""
    return max(abs(found.low), abs(found.high)) <= SMALLEST


def _interval(found: DifferenceEstimate) -> str:
    return f"95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f} points"


def _p(p: float) -> str:
    return "< .0001" if p < 0.0001 else f"= {p:.4f}"


def _round(groups: int) -> str:
    digits = 10 if groups < 1000 else 100
    return f"{math.ceil(groups / digits) * digits:,}"
