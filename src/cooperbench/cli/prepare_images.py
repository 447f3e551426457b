"""`cooperbench prepare --images`."""

from typing import TYPE_CHECKING

import click

from cooperbench.cli.images import progress_line, recipes_of
from cooperbench.cli.options import TaskFilter
from cooperbench.cli.output import counted, print_json

if TYPE_CHECKING:
    from cooperbench.environments import PreparedImage

FAILED = ("failed", "no space")


def prepare_images(
    selected: TaskFilter,
    backend: str | None,
    max_bytes: float | None,
    remove_unused: bool,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Fetch the images of the selected tasks, with a line for each. Return 1 when one is not here in the end."""
    from cooperbench.environments import ImagePreparation, default_backend, get_backend

    recipes = recipes_of(selected)
    chosen = backend or default_backend(bundled=all(recipe.bundled for recipe in recipes))
    preparation = ImagePreparation(get_backend(chosen), max_bytes=max_bytes, remove_unused=remove_unused)
    found = []
    outcomes = preparation.look(recipes) if dry_run else preparation.prepare(recipes, progress_line())
    for outcome in outcomes:
        found.append(outcome)
        if not as_json:
            click.echo(_line(outcome))
    if as_json:
        print_json([outcome.model_dump(mode="json") for outcome in found])
    else:
        known = sum(outcome.bytes or 0 for outcome in found if outcome.status in ("here", "fetched"))
        here = sum(outcome.status in ("here", "fetched") for outcome in found)
        click.echo(f"{here} of {counted(len(recipes), 'image')} here, {known / 1e9:.1f} GB")
    return 1 if any(outcome.status in FAILED for outcome in found) else 0


def _line(outcome: "PreparedImage") -> str:
    size = "" if outcome.bytes is None else f"  {outcome.bytes / 1e6:,.0f} MB"
    time = f"  {outcome.seconds:.1f} s" if outcome.status == "fetched" else ""
    return f"{outcome.name}  {outcome.status}{size}{time}{'  ' if outcome.message else ''}{outcome.message}"
