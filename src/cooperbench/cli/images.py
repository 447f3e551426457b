"""`cooperbench images`: list, pull, unpack and build the images of tasks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import ClonePath, TaskFilter, json_option, task_filters
from cooperbench.cli.output import console, counted, print_json
from cooperbench.cli.typed import print_next

if TYPE_CHECKING:
    from collections.abc import Callable

    from cooperbench.environments import ImageFacts
    from cooperbench.records import ImageRecipe

backend_option = click.option("--backend", default="docker", show_default=True, help="Backend that needs the images.")


@click.group("images")
def command() -> None:
    """List, pull, unpack and build the images of tasks."""


@command.command("list")
@task_filters
@backend_option
@json_option
def list_images(selected: TaskFilter, backend: str, as_json: bool) -> None:
    """List the images of tasks: whether each is here, its digest, platform and size."""
    from cooperbench.environments import image_facts

    _show([image_facts(backend, recipe) for recipe in recipes_of(selected)], as_json=as_json)


@command.command("pull")
@task_filters
@backend_option
@click.option("--platform", help="Platform, such as linux/amd64.  [default: the engine's]")
@click.option(
    "--keep-free", metavar="GB", type=float, default=5.0, show_default=True, help="Stop when less disk space is free."
)
@json_option
def pull(selected: TaskFilter, backend: str, platform: str | None, keep_free: float, as_json: bool) -> int:
    """Pull missing images. One that fails does not stop the others."""
    from cooperbench.environments import get_backend, image_facts, pull_image
    from cooperbench.errors import ImageError, SandboxCredentialsError

    facts = []
    failed = False
    for recipe in recipes_of(selected):
        if not image_facts(backend, recipe).here:
            free = get_backend(backend).free_space()
            if free is not None and free < keep_free * 1e9:
                click.echo(f"{recipe.name}: not pulled: only {free / 1e9:.1f} GB are free", err=True)
                failed = True
                break
            try:
                pull_image(backend, recipe, platform=platform, progress=progress_line())
            except (ImageError, SandboxCredentialsError) as error:
                click.echo(f"{recipe.name}: {error}", err=True)
                failed = True
        facts.append(image_facts(backend, recipe))
    _show(facts, as_json=as_json)
    return 1 if failed else 0


@command.command("unpack")
@click.argument("source")
@click.argument("name", required=False)
@json_option
def unpack(source: str, name: str | None, as_json: bool) -> None:
    """Unpack container images for the local backend, on a host without an engine.

    SOURCE is a file of `docker save`, an OCI layout or archive, or a reference of skopeo, such as docker://python:3.12. NAME is
    the image's name in tasks, if it differs from its own.
    """
    from cooperbench.environments import unpack_images

    _show(unpack_images("local", source, name), as_json=as_json)


@command.command("build")
@click.argument("name", required=False)
@task_filters
@backend_option
@click.option(
    "--repo-source",
    type=ClonePath(),
    help="Local clone to use instead of downloading the repository.",
)
@click.option("--base-image", help="Image that replaces the first FROM of the Dockerfile.")
@click.option(
    "--setup",
    metavar="COMMANDS",
    help="With --backend local: shell commands that install what the tests need. They run in the repository, with network "
    "access, and with pip and python of a virtual environment.",
)
@json_option
def build(
    selected: TaskFilter,
    name: str | None,
    backend: str,
    repo_source: Path | None,
    base_image: str | None,
    setup: str | None,
    as_json: bool,
) -> None:
    """Build images from the Dockerfiles of tasks, for this machine's processor.

    NAME is an image from `images list`; without it, the images of all selected tasks are built. Commits after the base commit
    are removed from the repository in the image.
    """
    from cooperbench.environments import build_image, image_facts
    from cooperbench.errors import UnknownNameError, UsageError

    recipes = [recipe.model_copy(update={"setup": setup}) for recipe in recipes_of(selected)]
    if name is not None:
        chosen = [recipe for recipe in recipes if recipe.name == name]
        if not chosen:
            raise UnknownNameError("image", name, [recipe.name for recipe in recipes])
        recipes = chosen
    if repo_source is not None and len(recipes) > 1:
        raise UsageError(
            "--repo-source needs exactly one image",
            subject=str(repo_source),
            hint="name an image, or select a task with -r and -t",
        )
    for number, recipe in enumerate(recipes, start=1):
        click.echo(f"building {recipe.name} ({number} of {len(recipes)})", err=True)
        build_image(backend, recipe, repo_source=repo_source, base_image=base_image, progress=progress_line())
    _show([image_facts(backend, recipe) for recipe in recipes], as_json=as_json)
    if not as_json:
        asked = (("-s", selected.subset), ("-r", selected.repo), ("-t", selected.task_id), ("--backend", backend))
        words = "".join(f" {option} {value}" for option, value in asked if value is not None)
        print_next(f"cooperbench tasks validate{words}", dataset_dir=selected.dataset_dir)


def recipes_of(selected: TaskFilter) -> "list[ImageRecipe]":
    """Return how to build the image of each selected task."""
    return list({task.recipe.name: task.recipe for task in selected.find()}.values())


def progress_line() -> "Callable[[str], None]":
    """Return a function that shows one line on a terminal in place of the line before."""
    from rich.control import Control
    from rich.segment import ControlType

    from cooperbench.cli.visible_console import VisibleConsole
    from cooperbench.records.visible import one_line

    console = VisibleConsole(sys.stderr)
    again = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))

    def show(line: str) -> None:
        if console.is_terminal:
            console.control(again)
            console.print(one_line(line)[: console.width - 1], end="", soft_wrap=True)

    return show


def _show(found: "list[ImageFacts]", *, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("image", "here", "digest", "platform", "size"):
        table.add_column(column, overflow="fold")
    for one in found:
        size = "" if one.bytes is None else f"{one.bytes / 1e6:.0f} MB"
        digest = (one.digest or "")[: len("sha256:") + 12]
        table.add_row(one.name, "yes" if one.here else "no", digest, one.platform or "", size)
    console().print(table)
    missing = [one for one in found if not one.here]
    if missing:
        console().print(
            f"{counted(len(missing), 'image')} missing; try: cooperbench images pull, or cooperbench images build"
        )
