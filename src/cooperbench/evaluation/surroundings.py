"""What the rules that sanitize submissions know of a task and its image, beside the trees."""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cooperbench.environments import Environment, EnvironmentOptions, SandboxLabels, open_environment
from cooperbench.errors import RecordError, SandboxError
from cooperbench.evaluation.patches import touched_paths
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.stand_ins import ImageModules, Modules
from cooperbench.records import cache_dir, read_model, write_model
from cooperbench.tasks import Task

_LIST_MODULES = """
import os, pkgutil, sys
root = "/workspace/repo"
inside = lambda entry: (entry + "/").startswith(root + "/") and "/site-packages" not in entry
entries = [os.path.abspath(entry) for entry in sys.path if entry]
outside = [entry for entry in entries if not inside(entry)]
names = set(sys.builtin_module_names) | set(getattr(sys, "stdlib_module_names", ()))
names.update(name for _, name, _ in pkgutil.iter_modules(outside))
names -= {"test", "tests"}  # which many projects call their own
for name in sorted(names): print("module", name)
for entry in entries:
    if inside(entry): print("folder", os.path.relpath(entry, root))
"""
_INTERPRETERS = "python3 python /workspace/repo/.venv/bin/python /workspace/repo/venv/bin/python"
_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


def no_modules() -> ImageModules:
    """Return that nothing is known of an image."""
    return ImageModules()


@dataclass(frozen=True)
class Surroundings:
    """What the rules know beside the trees. Without it, they go by names alone."""

    gold: frozenset[str] = frozenset()
    """What gold patches change is work, even where it looks like foreign code."""
    runner: str = ""
    """The task's `runner.sh`: what it starts is not work."""
    modules: Modules = no_modules
    protected: bool = True
    """False leaves out only what stands where hidden tests belong."""


def surroundings_of(
    task: Task, features: Sequence[int], image_digest: str | None, settings: EvaluationSettings, labels: SandboxLabels
) -> Surroundings:
    """Return what the rules know of these features of a task. The image is asked, once, when a rule wants to know."""
    gold = frozenset(path for number in features for path in touched_paths(task.features[number].gold_patch))
    runner = task.runner.decode("utf-8", "replace") if (task.path / "runner.sh").is_file() else ""
    modules = _Image(task, image_digest, settings, labels)
    return Surroundings(gold, runner, modules, settings.protected)


class _Image:
    """Lists the importable modules of a task's image; kept in the cache, and asked for at most once."""

    def __init__(
        self, task: Task, image_digest: str | None, settings: EvaluationSettings, labels: SandboxLabels
    ) -> None:
        self._task = task
        self._settings = settings
        self._labels = labels.model_copy(update={"agent_id": "modules"})
        facts = "\0".join((task.key, task.revision, task.image, str(image_digest), _LIST_MODULES))
        self._path = cache_dir() / "modules" / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.json"

    def __call__(self) -> ImageModules:
        return self._modules

    @cached_property
    def _modules(self) -> ImageModules:
        with _locks[self._path]:
            try:
                return read_model(self._path, ImageModules)
            except (FileNotFoundError, RecordError):
                modules = self._ask()
                write_model(self._path, modules)
                return modules

    def _ask(self) -> ImageModules:
        options = EnvironmentOptions(lifetime=300, network=self._settings.network(self._task))
        try:
            return self._ask_once(options)
        except SandboxError:
            return self._ask_once(options)

    def _ask_once(self, options: EnvironmentOptions) -> ImageModules:
        with open_environment(
            self._settings.backend, self._task.image, options=options, labels=self._labels
        ) as environment:
            return _list_modules(environment)


def _list_modules(environment: Environment) -> ImageModules:
    environment.write_file("/tmp/modules.py", _LIST_MODULES.encode())
    listed = environment.execute(
        f"for python in {_INTERPRETERS}; do command -v $python >/dev/null && $python - </tmp/modules.py; done; rm /tmp/modules.py",
        timeout=120,
    )
    lines = {line for line in listed["output"].splitlines() if line.startswith(("module ", "folder "))}
    return ImageModules(
        names=tuple(sorted(line.removeprefix("module ") for line in lines if line.startswith("module "))),
        folders=tuple(sorted(line.removeprefix("folder ").removeprefix(".") for line in lines if line.startswith("f"))),
    )
