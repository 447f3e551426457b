"""From runs to numbers that can be published: statistics, tables, comparisons, plots. Needs the extra `analysis`.

Names are resolved on first use: a part that does without numpy does not load it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooperbench.analysis.statistics import paired, power, rate

_WHERE = {
    "paired": "cooperbench.analysis.statistics",
    "power": "cooperbench.analysis.statistics",
    "rate": "cooperbench.analysis.statistics",
}

__all__ = ["paired", "power", "rate"]


def __getattr__(name: str) -> "Any":
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
