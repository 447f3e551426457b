"""Figures for papers: PNG, SVG and PDF. Each kind is one module with one function that draws into given axes."""

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cooperbench.errors import MissingExtraError, UnknownNameError, UsageError

if find_spec("matplotlib") is None:
    raise MissingExtraError("plots of runs", "analysis")

from cooperbench.analysis.plots.cost import draw_cost
from cooperbench.analysis.plots.curve import draw_difficulty
from cooperbench.analysis.plots.messages import draw_messages
from cooperbench.analysis.plots.rates import draw_rates
from cooperbench.analysis.plots.team_size import draw_team_size
from cooperbench.analysis.samples import RunSample
from cooperbench.records import cache_dir

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOTS: dict[str, Callable[["Axes", Sequence[RunSample]], None]] = {
    "rates": draw_rates,
    "difficulty": draw_difficulty,
    "team-size": draw_team_size,
    "messages": draw_messages,
    "cost": draw_cost,
}
SUFFIXES = (".png", ".svg", ".pdf")
COLUMN_WIDTH = 3.3
"""Inches: one column of a two-column paper."""
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # fonts as text, which publishers ask for
    "svg.fonttype": "none",
    "svg.hashsalt": "cooperbench",  # the same runs give the same file
    "axes.prop_cycle": "cycler('color', ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000'])",
}
"""Small fonts, colours that colour-blind readers can distinguish (Okabe & Ito)."""


def check_plot(kind: str, target: Path) -> None:
    """Raise `UsageError` for a kind or a suffix that there is not."""
    if kind not in PLOTS:
        raise UnknownNameError("plot", kind, PLOTS)
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{target} does not end in {', '.join(SUFFIXES)}", subject=str(target), hint=f"-o {kind}.pdf")


def write_plot(kind: str, samples: Sequence[RunSample], target: Path, *, width: float = COLUMN_WIDTH) -> None:
    """Draw one figure, `width` inches wide, into a file. Raises `UsageError`, also where the runs have nothing to draw."""
    check_plot(kind, target)
    os.environ.setdefault(
        "MPLCONFIGDIR", str(cache_dir() / "matplotlib")
    )  # its list of fonts, else in the home directory
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, width * 0.72), layout="constrained")
        PLOTS[kind](figure.add_subplot(), samples)
        target.parent.mkdir(parents=True, exist_ok=True)
        suffix = target.suffix.lower()
        undated = {} if suffix == ".png" else {"CreationDate": None} if suffix == ".pdf" else {"Date": None}
        figure.savefig(target, dpi=300, metadata=undated)
