"""Pass rates with their intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cooperbench.analysis.measures import group_means, passed
from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.statistics import RateEstimate, rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_rates(axes: "Axes", samples: Sequence[RunSample]) -> None:
    """Draw a point with its 95 % interval for each run, the first on top."""
    for place, sample in enumerate(samples):
        found = rate_of(sample)
        axes.errorbar(
            100 * found.rate,
            place,
            xerr=[[100 * (found.rate - found.low)], [100 * (found.high - found.rate)]],
            fmt="o",
            markersize=4,
            capsize=2.5,
        )
    axes.set_yticks(range(len(samples)), [f"{sample.name} ({sample.provenance.setting})" for sample in samples])
    axes.set_ylim(len(samples) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"passed, % ({samples[0].provenance.policy}, 95 % interval)")


def rate_of(sample: RunSample) -> RateEstimate:
    """Estimate the pass rate of a run."""
    means = group_means(sample.rows, passed)
    return rate(means.values, means.pools)
