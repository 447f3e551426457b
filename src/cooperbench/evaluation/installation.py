"""Find out whether a task's runner installs what its image has already, so that suites can leave that out."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from cooperbench.errors import RecordError
from cooperbench.evaluation.bases import Base
from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.installers import (
    Installer,
    changed_dependencies,
    copied_sources,
    installers_of,
    reads_of_installation,
)
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.suite_verdict import SuiteReference, suite_verdict, telling_line
from cooperbench.evaluation.suites import SuiteRun
from cooperbench.records import Outcome, Record, read_model, write_model
from cooperbench.tasks import Task


class InstallRecord(Record):
    """The files that the runner's installation changes in an image when nothing was submitted that it reads."""

    image: str
    image_digest: str | None
    changed: tuple[str, ...]


class Installation:
    """What a task's runner installs in one image; watched once, and kept in the file `record`."""

    def __init__(self, task: Task, base: Base, store: GitStore, settings: EvaluationSettings, record: Path) -> None:
        self._task = task
        self._base = base
        self._store = store
        self._settings = settings
        self._record = record

    @cached_property
    def installers(self) -> Sequence[Installer]:
        """Those that the runner calls."""
        return installers_of(self._task.runner) if self._runner.is_file() else ()

    @property
    def _runner(self) -> Path:
        return self._task.path / "runner.sh"

    def can_be_skipped(self, tree: str) -> bool:
        """Tell whether the runner would install what is installed already. Known once the run of a gold patch was watched."""
        if self._settings.choices.install == "always":
            return False
        if not self.installers:  # nothing to leave out but the network
            return self._settings.may_cut_off and not self._task.recipe.bundled and self._runner.is_file()
        try:
            record = read_model(self._record, InstallRecord)
        except (FileNotFoundError, RecordError):
            return False
        return not record.changed and not self._is_read_from(tree)

    def unwatched(self, tree: str) -> bool:
        """Tell whether to watch this run: that of the first gold patch which changes nothing that an installation reads."""
        wanted = self._settings.choices.install == "once" and bool(self.installers) and not self._record.is_file()
        return wanted and not self._is_read_from(tree)

    def may_need_network(self, tree: str) -> bool:
        """Tell whether a tree that failed without a network names other dependencies, which an unknown tool may fetch."""
        return bool(changed_dependencies(self._store, self._base.tree, tree))

    def _is_read_from(self, tree: str) -> bool:
        if reads_of_installation(self.installers, self._store, self._base.tree, tree):
            return True
        return bool(copied_sources(self._task.runner, self._store, self._base.tree, tree))

    def note(self, run: SuiteRun, reference: SuiteReference, run_without: Callable[[], SuiteRun]) -> None:
        """Keep what the installation changed. What also changes the results of the gold patch is no short-cut at all."""
        if run.installed is None or run.exit_code != 0:
            return
        changed = tuple(run.installed[:50])
        if not changed:
            skipped = run_without()
            if suite_verdict(reference.feature, skipped, reference).outcome is not Outcome.PASSED:
                changed = (f"the results: {telling_line(skipped.output)}",)
        install = InstallRecord(image=self._task.image, image_digest=self._base.image_digest, changed=changed)
        write_model(self._record, install)
