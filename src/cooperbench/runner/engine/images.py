"""Have all images ready before anything is spent on agents."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from cooperbench.environments import ensure_image
from cooperbench.errors import CooperBenchError, UsageError
from cooperbench.records import Failure, ImageRecipe
from cooperbench.runner.engine.observer import Observer
from cooperbench.tasks import Task

_AT_ONCE = 4


class Images(NamedTuple):
    """The images that are ready, and those that are not."""

    digests: dict[str, str]
    broken: dict[str, Failure]


def ensure_images(backend: str, tasks: list[Task], observer: Observer, *, at_least_one: bool = False) -> Images:
    """Have every task's image ready. One that is broken concerns its own task only, and is noted.

    Raises `UsageError` where there has to be one and all are broken.
    """
    digests: dict[str, str] = {}
    broken: dict[str, Failure] = {}

    def ensure(recipe: ImageRecipe) -> None:
        try:
            digest = ensure_image(backend, recipe)
        except CooperBenchError as error:
            broken[recipe.name] = Failure.of(error)
        else:
            if digest is not None:
                digests[recipe.name] = digest

    recipes = {task.recipe.name: task.recipe for task in tasks}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="image") as threads:
        list(threads.map(ensure, recipes.values()))
    if at_least_one and len(broken) == len(recipes):
        name, failure = next(iter(broken.items()))
        raise UsageError(failure.message, subject=name, hint=failure.hint)
    for name, failure in broken.items():
        observer.note(f"image {name}: {failure.message}" + (f" ({failure.hint})" if failure.hint else ""))
    return Images(digests, broken)
