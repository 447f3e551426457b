"""Printing for people and for programs."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from cooperbench.environments import Check


def console() -> "Console":
    """Return a console for standard output."""
    from rich.console import Console

    out = Console(highlight=False)
    # Not cut to the width of a terminal when there is none: other programs read it.
    return out if out.is_terminal else Console(highlight=False, width=200)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 task` or `3 tasks`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def print_json(value: Any) -> None:
    """Print JSON for programs to read."""
    print(json.dumps(value, indent=2))


def check_lines(checks: "Iterable[Check]") -> Iterator[str]:
    """Yield a line for each check, and another with its fix."""
    for check in checks:
        yield f"  {'ok     ' if check.ok else 'missing'} {check.name}: {check.detail}"
        if check.fix:
            yield f"          try: {check.fix}"
