"""Run suites of one task on trees of its store: the work's patch, the hidden tests' patch and their digests are made here.

The patch of the hidden tests is made anew from trees, with edits in them or without, by the same procedure: nothing in its form tells
a suite whose expectations were broken from the real one.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from cooperbench.environments import SandboxLabels
from cooperbench.errors import EvaluationError, SandboxError
from cooperbench.evaluation.bases import Base
from cooperbench.evaluation.build_caches import filled, without_tests
from cooperbench.evaluation.check_in import conversions
from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.suites import Suite, SuiteRun, run_suite
from cooperbench.evaluation.test_runners import runners_of
from cooperbench.tasks import Task


class SuiteRunner:
    """Runs suites of one task's features, each in a fresh sandbox. `build_cache` is the file for what compilers make of the base."""

    def __init__(
        self,
        task: Task,
        base: Base,
        store: GitStore,
        settings: EvaluationSettings,
        labels: SandboxLabels,
        build_cache: Path,
    ) -> None:
        self.task = task
        self.base = base
        self.store = store
        self.settings = settings
        self._labels = labels
        self._build_cache = build_cache
        self._patches: dict[str, bytes] = {}
        self._tested: dict[int, str | None] = {}

    def run(
        self,
        feature: int,
        tree: str,
        stop: threading.Event | None = None,
        *,
        watch: bool = False,
        structured: bool = True,
        skip_install: bool = False,
        edited: Mapping[str, bytes] | None = None,
        time_limit: float | None = None,
    ) -> SuiteRun:
        """Run one suite on one tree, whatever is known already. A sandbox that fails is tried once more.

        With `skip_install` it has no network either, where the backend can do that. `edited` are hidden test files with another content than the task gives them. Raises the classes below `SandboxError`, and
        `EvaluationError` once `stop` is set.
        """
        suite = Suite(
            tests_patch=b"",
            feature_patch=b"",
            labels=self._labels.model_copy(update={"agent_id": f"suite{feature}"}),
            skip_install=skip_install,
            watch_install=watch,
            structured=structured,
            network="none" if skip_install and self.settings.may_cut_off else None,
            time_limit=time_limit,
            build_cache=self._compiled(feature, stop),
        )

        def complete() -> Suite:
            tests_patch = self._tests_patch(feature, edited or {})
            files = self._test_files(tests_patch, tree)
            return replace(suite, tests_patch=tests_patch, feature_patch=self._patch(tree), test_files=files)

        try:
            return self._run(suite, stop, complete)
        except SandboxError:
            return self._run(suite, stop, complete)

    def _compiled(self, feature: int, stop: threading.Event | None) -> bytes:
        """Return what compilers make of the base and of what the feature's tests import. Empty where none keeps that."""
        if not (self.task.path / "runner.sh").is_file():
            return b""
        if not any(runner.build_cache for runner in runners_of(self.task.runner)):
            return b""
        hidden = self.hidden_files(feature)
        if not hidden:
            return b""
        suite = Suite(
            tests_patch=b"",
            feature_patch=b"",
            labels=self._labels.model_copy(update={"agent_id": f"suite{feature}"}),
            keep_build_cache=True,
        )

        def complete() -> Suite:
            untested = {path: self._untested(path, source) for path, source in hidden.items()}
            return replace(suite, tests_patch=self._tests_patch(feature, untested))

        try:
            return filled(self._build_cache, lambda: self._run(suite, stop, complete).build_cache)
        except SandboxError:
            return b""  # a short-cut of ours: the suite takes the long way

    def _untested(self, path: str, source: bytes) -> bytes:
        """Return a hidden test file without its tests, with a line more than that of the base, so that it is part of the patch."""
        if self.store.has(self.base.tree, path):
            return self.store.blob(f"{self.base.tree}:{path}") + b"\n"
        return without_tests(source)

    def _run(self, suite: Suite, stop: threading.Event | None, complete: Callable[[], Suite] | None = None) -> SuiteRun:
        if stop is not None and stop.is_set():
            raise EvaluationError("the evaluation was stopped")
        return run_suite(self.task, suite, self.settings, complete)

    def tested_base(self, feature: int) -> str | None:
        """Return the tree of the base with the feature's hidden tests, or `None` if git does not apply their patch as it is."""
        if feature not in self._tested:
            patch = self.task.features[feature].tests_patch
            self._tested[feature] = apply_exactly(self.store, self.base.tree, patch)
        return self._tested[feature]

    def hidden_files(self, feature: int) -> dict[str, bytes]:
        """Return the content of the files that the feature's hidden tests write, by path."""
        tested = self.tested_base(feature)
        if tested is None:
            return {}
        changes = self.store.changes(self.base.tree, tested)
        return {
            change.path: self.store.blob(change.new_blob) for change in changes if change.new_mode.startswith("100")
        }

    def _tests_patch(self, feature: int, edited: Mapping[str, bytes]) -> bytes:
        tested = self.tested_base(feature)
        if tested is None:
            return self.task.features[feature].tests_patch
        if edited:
            modes = {change.path: change.new_mode for change in self.store.changes(self.base.tree, tested)}
            entries = [(path, modes[path], self.store.write_blob(data)) for path, data in edited.items()]
            tested = self.store.edit_tree(tested, entries)
        return self.store.diff(self.base.tree, tested)

    def _patch(self, tree: str) -> bytes:
        if tree not in self._patches:
            self._patches[tree] = self.store.diff(self.base.tree, tree)
        return self._patches[tree]

    def _test_files(self, tests_patch: bytes, tree: str) -> dict[str, str]:
        """Return the digest of each hidden test on this tree, by path. Empty if git does not apply their patch as it is.

        Files that have other bytes in the work tree than in git are left out.
        """
        tested = apply_exactly(self.store, tree, tests_patch)
        if tested is None:
            return {}
        changes = [change for change in self.store.changes(tree, tested) if change.new_mode.startswith("100")]
        if self.base.tree in self.store.work_trees:
            converted = conversions(self.store, self.base.tree, [change.path for change in changes])
            changes = [change for change in changes if change.path not in converted]
        return {change.path: hashlib.sha256(self.store.blob(change.new_blob)).hexdigest() for change in changes}
