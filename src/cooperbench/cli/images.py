"""`cooperbench images`: what tasks start from, whether it is here, pulling and building it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import dataset_option, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from cooperbench.environments import ImageFacts
    from cooperbench.records import ImageRecipe

subset_option = click.option("-s", "--subset", help="Only the tasks of a subset; `demo` are the bundled ones.")
repo_option = click.option("-r", "--repo", help="Only the tasks of one repository.")
task_option = click.option("-t", "--task", "task_id", help="Only the task of that number.")
backend_option = click.option("--backend", default="docker", show_default=True, help="Where the images are to be.")


@click.group("images")
def command() -> None:
    """List, pull and build the images that tasks need."""


@command.command("list")
@subset_option
@repo_option
@task_option
@dataset_option
@backend_option
@json_option
def list_images(
    subset: str | None, repo: str | None, task_id: str | None, dataset_dir: Path | None, backend: str, as_json: bool
) -> None:
    """What the tasks need, whether it is here, its digest, platform and size."""
    from cooperbench.environments import image_facts

    _show([image_facts(backend, recipe) for recipe in _recipes(subset, repo, task_id, dataset_dir)], as_json=as_json)


@command.command("pull")
@subset_option
@repo_option
@task_option
@dataset_option
@backend_option
@click.option("--platform", help="Such as linux/amd64.  [default: the engine's own]")
@click.option(
    "--keep-free", metavar="GB", type=float, default=5.0, show_default=True, help="Stop before the disk has less."
)
@json_option
def pull(
    subset: str | None,
    repo: str | None,
    task_id: str | None,
    dataset_dir: Path | None,
    backend: str,
    platform: str | None,
    keep_free: float,
    as_json: bool,
) -> None:
    """Pull what is not here; one image that fails does not stop the others."""
    from cooperbench.environments import image_facts, pull_image
    from cooperbench.environments.readiness import free_space
    from cooperbench.errors import ImageError, SandboxCredentialsError

    facts = []
    failed = False
    for recipe in _recipes(subset, repo, task_id, dataset_dir):
        if not image_facts(backend, recipe).here:
            free = free_space(backend)
            if free is not None and free < keep_free * 1e9:
                click.echo(f"{recipe.name}: not pulled, only {free / 1e9:.1f} GB are free", err=True)
                failed = True
                break
            try:
                pull_image(backend, recipe, platform=platform, progress=_progress())
            except (ImageError, SandboxCredentialsError) as error:
                click.echo(f"{recipe.name}: {error}", err=True)
                failed = True
        facts.append(image_facts(backend, recipe))
    _show(facts, as_json=as_json)
    if failed:
        raise SystemExit(1)


@command.command("build")
@click.argument("name", required=False)
@subset_option
@repo_option
@task_option
@dataset_option
@backend_option
@click.option(
    "--repo-source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A local clone that takes the place of the repository's download.",
)
@click.option("--base-image", help="Another image for the first FROM of the Dockerfile.")
@click.option(
    "--setup",
    metavar="COMMANDS",
    help="With --backend local: shell commands that install what the tests need, run in the repository with the network on "
    "and a virtual environment's pip and python.",
)
@json_option
def build(
    name: str | None,
    subset: str | None,
    repo: str | None,
    task_id: str | None,
    dataset_dir: Path | None,
    backend: str,
    repo_source: Path | None,
    base_image: str | None,
    setup: str | None,
    as_json: bool,
) -> None:
    """Build images from the tasks' own Dockerfiles for this machine's processor.

    NAME is an image as `images list` shows it; without it all images of the chosen tasks are built. Whatever is later than the
    base commit is removed from the image's repository.
    """
    from cooperbench.environments import build_image, image_facts
    from cooperbench.errors import UnknownNameError, UsageError

    recipes = [recipe.model_copy(update={"setup": setup}) for recipe in _recipes(subset, repo, task_id, dataset_dir)]
    if name is not None:
        chosen = [recipe for recipe in recipes if recipe.name == name]
        if not chosen:
            raise UnknownNameError("image", name, [recipe.name for recipe in recipes])
        recipes = chosen
    if repo_source is not None and len(recipes) > 1:
        raise UsageError(
            "one clone cannot be the source of several images",
            subject=str(repo_source),
            hint="name an image, or choose a task with -r and -t",
        )
    for recipe in recipes:
        build_image(backend, recipe, repo_source=repo_source, base_image=base_image, progress=_progress())
    _show([image_facts(backend, recipe) for recipe in recipes], as_json=as_json)


def _recipes(
    subset: str | None, repo: str | None, task_id: str | None, dataset_dir: Path | None
) -> "list[ImageRecipe]":
    from cooperbench.tasks import discover_tasks

    found = discover_tasks(dataset_dir, subset=subset, repo=repo, task=task_id)
    return list({task.recipe.name: task.recipe for task in found}.values())


def _progress() -> "Callable[[str], None]":
    """Lines on standard error, of which a terminal keeps only the last."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)

    def show(line: str) -> None:
        if console.is_terminal:
            console.print(line[: console.width - 1], markup=False, end="\r", soft_wrap=True)

    return show


def _show(found: "list[ImageFacts]", *, as_json: bool) -> None:
    from rich.table import Table

    from cooperbench.cli.show import console, print_json

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
        console().print(f"{len(missing)} missing; try: cooperbench images pull, or cooperbench images build")
