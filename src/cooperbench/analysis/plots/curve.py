"""The difficulty curve: solo and coop rates by difficulty."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cooperbench.analysis.paper.difficulty import pooled_curve
from cooperbench.analysis.paper.matching import match_models
from cooperbench.analysis.samples import RunSample
from cooperbench.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_difficulty(axes: "Axes", samples: Sequence[RunSample]) -> None:
    """Draw both curves over all models that have a solo and a coop run. Raises `UsageError` where none has."""
    matched = match_models(samples)
    curve = pooled_curve(matched) if matched else None
    if curve is None:
        raise UsageError(
            "a difficulty curve needs a solo and a coop run of the same model on the same groups",
            hint="cooperbench plot difficulty SOLO COOP",
        )
    x = [bucket.midpoint for bucket in curve.buckets]
    solo = [100 * bucket.solo_rate for bucket in curve.buckets]
    coop = [100 * bucket.coop_rate for bucket in curve.buckets]
    axes.plot(x, solo, "o-", markersize=3, label="solo")
    axes.plot(x, coop, "s-", markersize=3, label="coop")
    axes.fill_between(x, coop, solo, alpha=0.12, linewidth=0)
    axes.set_xlim(0, 1)
    axes.set_ylim(-3, 103)
    axes.set_xlabel("relative difficulty (1 - mean solo rate)")
    axes.set_ylabel("passed, %")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)  # above: nothing is hidden
