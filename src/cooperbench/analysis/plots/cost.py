"""Cost against success."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cooperbench.analysis.measures import group_means
from cooperbench.analysis.plots.rates import rate_of
from cooperbench.analysis.samples import RunSample
from cooperbench.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_cost(axes: "Axes", samples: Sequence[RunSample]) -> None:
    """Draw each run at its mean cost for a group and its pass rate. Raises `UsageError` for a run with an unknown cost."""
    for sample in samples:
        costs = group_means(sample.rows, lambda row: row.cost)
        if any(row.cost is None for row in sample.rows if row.seconds is not None) or not costs.values:
            raise UsageError(
                f"the cost of run {sample.name} is not known", subject=sample.name, hint="leave the run out"
            )
        found = rate_of(sample)
        axes.errorbar(
            sum(costs.values) / len(costs.values),
            100 * found.rate,
            yerr=[[100 * (found.rate - found.low)], [100 * (found.high - found.rate)]],
            fmt="o",
            markersize=4,
            capsize=2.5,
            label=f"{sample.name} ({sample.provenance.setting})",
        )
    axes.margins(x=0.1)
    axes.set_xlim(left=0)
    axes.set_ylim(-3, 103)
    axes.set_xlabel("US dollars for a group, mean")
    axes.set_ylabel("passed, % (95 % interval)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)  # above: nothing is hidden
