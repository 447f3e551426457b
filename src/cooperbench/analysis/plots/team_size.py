"""Success by the number of features and members."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cooperbench.analysis.measures import group_means, passed
from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.statistics import rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_team_size(axes: "Axes", samples: Sequence[RunSample]) -> None:
    """Draw the rates of groups that pass as a whole by their number of features, one line for each setting and model."""
    lines: dict[str, list[RunSample]] = {}
    for sample in samples:
        lines.setdefault(f"{sample.provenance.setting}, {sample.model}", []).append(sample)
    sizes = sorted({row.size for sample in samples for row in sample.rows})
    for number, (label, runs) in enumerate(lines.items()):
        points = []
        for size in sizes:
            means = group_means((row for run in runs for row in run.rows if row.size == size), passed)
            if means.values:
                points.append((size, rate(means.values, means.pools)))
        shift = (number - (len(lines) - 1) / 2) * 0.06  # so that intervals do not hide each other
        axes.errorbar(
            [size + shift for size, _ in points],
            [100 * found.rate for _, found in points],
            yerr=[
                [100 * (found.rate - found.low) for _, found in points],
                [100 * (found.high - found.rate) for _, found in points],
            ],
            fmt="o-",
            markersize=3.5,
            capsize=2,
            label=label,
        )
    axes.set_xticks(sizes)
    axes.set_ylim(-3, 103)
    axes.set_xlabel("features of a group")
    axes.set_ylabel("all features pass, %")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)  # above: nothing is hidden
