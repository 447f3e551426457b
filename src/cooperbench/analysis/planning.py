"""`cooperbench power`: what a plan assumes, taken from runs where they are named, and what it says."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cooperbench.analysis.pairing import average_pool_size, pair_runs
from cooperbench.analysis.samples import RunSample, read_samples
from cooperbench.analysis.statistics import DifferenceEstimate, PowerEstimate, paired
from cooperbench.errors import UsageError
from cooperbench.records.paths import AnyPath


@dataclass(frozen=True)
class Assumptions:
    """What a plan rests on besides its question."""

    discordant: float = 0.3
    icc: float = 0.0
    pool_size: float | None = None
    groups: int | None = None
    source: str = "assumed, not measured: name two runs to take both from them"


def assumptions_of(names: Sequence[str], log_dir: AnyPath | None, *, policy: str | None = None) -> Assumptions:
    """Measure discordance and correlation in two runs, or between the attempts of one. Raises `UsageError`."""
    samples = read_samples(names, log_dir, policy=policy)
    if len(samples) > 2:
        raise UsageError("a plan takes at most two runs", hint="cooperbench power --effect 5 A B")
    if len(samples) == 2:
        pairing = pair_runs(*samples)
        if not pairing.groups:
            raise UsageError(f"{names[0]} and {names[1]} have no group with a verdict in both")
        found = paired(pairing.a, pairing.b, pairing.pools)
        return _assume(found, pairing.pools, f"measured on {found.n} groups of {names[0]} and {names[1]}")
    return _of_attempts(samples[0])


def with_given(
    known: Assumptions, *, icc: float | None, discordant: float | None, pool_size: float | None
) -> Assumptions:
    """Replace what a user gives."""
    if icc is not None:
        known = replace(known, icc=icc)
    if pool_size is not None:
        known = replace(known, pool_size=pool_size)
    return known if discordant is None else replace(known, discordant=discordant, source="as given")


def plan_sentences(plan: PowerEstimate, known: Assumptions) -> Iterator[str]:
    """Yield the plan in plain words."""
    if math.isnan(plan.effect):
        yield f"{plan.groups} groups show nothing: even if all groups that differ lean to one side, it is missed."
    else:
        yield (
            f"{plan.groups} groups show a difference of {100 * plan.effect:.1f} points with {100 * plan.power:.0f} % power "
            f"(two-sided test at {100 * plan.alpha:g} %)."
        )
    yield f"Of these groups {100 * plan.discordant:.0f} % are passed by only one of the two ({known.source})."
    if plan.pool_size > 1:
        yield (
            f"Groups of one pool correlate by {plan.icc:g}, and a pool has {plan.pool_size:.1f} groups: design effect "
            f"{plan.design_effect:.2f}, {plan.groups} groups say as much as {plan.independent:.0f} independent ones."
        )
    else:
        yield "Groups are taken as independent (design effect 1): give --icc, as groups of one pool are alike."


def _of_attempts(sample: RunSample) -> Assumptions:
    """Take the first two attempts at each group for two runs that differ by chance alone."""
    attempts: dict[str, list[bool]] = {}
    pools: dict[str, str] = {}
    for row in sample.rows:
        if row.passed is not None:
            attempts.setdefault(row.group, []).append(row.passed)
            pools[row.group] = row.task
    twice = {group: outcomes for group, outcomes in attempts.items() if len(outcomes) > 1}
    if not twice:
        raise UsageError(
            f"run {sample.name} has one attempt per group, which says nothing about how two runs differ",
            subject=sample.name,
            hint="name a second run, or a run made with -k 2",
        )
    repeated = [pools[group] for group in twice]
    first, second = ([float(outcomes[index]) for outcomes in twice.values()] for index in (0, 1))
    found = paired(first, second, repeated)
    return _assume(
        found, repeated, f"measured between two attempts at {found.n} groups of {sample.name}: the least that can be"
    )


def _assume(found: DifferenceEstimate, pools: Sequence[str], source: str) -> Assumptions:
    if not found.discordant:
        raise UsageError(f"no group differs ({source}): there is no discordance to plan with", hint="--discordant 0.3")
    return Assumptions(
        discordant=found.discordant,
        icc=max(found.icc or 0.0, 0.0),
        pool_size=average_pool_size(pools) if found.clusters > 1 else None,
        groups=found.n,
        source=source,
    )
