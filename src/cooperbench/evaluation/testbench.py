"""Test trees: run each hidden suite on each tree once, side by side, in fresh sandboxes, measured by the gold patch.

How a feature's tests run with the gold patch alone is measured once for each image, and cached. A submission runs under exactly the
conditions of such a measurement: where its installation is skipped, that of the gold patch was skipped too.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from cooperbench.environments import SandboxLabels
from cooperbench.errors import EvaluationError, RecordError, SandboxError
from cooperbench.evaluation.bases import Base
from cooperbench.evaluation.falsification import FeatureRuns, Pool, falsify, new_seed, pool_of
from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.installers import Installer, installers_of, reads_of_installation
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.slots import ThreadSlots, processors
from cooperbench.evaluation.suite_runner import SuiteRunner
from cooperbench.evaluation.suite_verdict import (
    SuiteReference,
    failed_to_install,
    make_reference,
    suite_verdict,
    telling_line,
    with_falsification,
)
from cooperbench.evaluation.suites import SuiteRun
from cooperbench.evaluation.surroundings import Surroundings, surroundings_of
from cooperbench.records import Outcome, Record, Stage, SuiteResult, cache_dir, read_model, write_model
from cooperbench.tasks import Task

EVALUATOR = "cooperbench-evaluator@5"
"""Part of every key: a change in what a verdict means needs a new number."""


class InstallRecord(Record):
    """The files that the runner's installation changes in an image when nothing was submitted that it reads."""

    image: str
    image_digest: str | None
    changed: tuple[str, ...]


_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class TestBench:
    """Runs suites of one task's features on trees of one store."""

    __test__ = False  # pytest would collect it by its name

    def __init__(
        self,
        task: Task,
        base: Base,
        store: GitStore,
        settings: EvaluationSettings,
        labels: SandboxLabels,
        seed: str | None = None,
    ) -> None:
        self.task = task
        self.base = base = base.checked_in(store)
        self.store = store
        self.workers = settings.workers or processors()
        slots = settings.slots or ThreadSlots(self.workers, ahead=self.workers)
        self.settings = replace(settings, slots=slots)
        self._labels = labels
        self.runner = SuiteRunner(task, base, store, self.settings, labels)
        self.seed = seed or new_seed()
        self._results: dict[tuple[int, str], SuiteResult] = {}

    def test(self, suites: Iterable[tuple[int, str]]) -> None:
        """Run the suites (feature, tree) that were not run yet, side by side. `result` returns their results."""
        wanted = [suite for suite in dict.fromkeys(suites) if suite not in self._results]
        stop = threading.Event()
        # Twice as many as run: the others start the next sandboxes and end the last.
        pool = ThreadPoolExecutor(min(2 * self.workers, len(wanted)) or 1, thread_name_prefix="suite")
        try:
            futures = {pool.submit(self._test_one, feature, tree, stop): (feature, tree) for feature, tree in wanted}
            wait(futures, return_when=FIRST_EXCEPTION)
            for future, suite in futures.items():
                self._results[suite] = future.result()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def know(self, stages: Iterable[Stage]) -> None:
        """Take over results of an earlier evaluation of the same task, image and evaluator."""
        for stage in stages:
            for suite in stage.suites:
                # A failure is tried again; `no_patch` says more than the tests did.
                if stage.tree is not None and suite.outcome in (Outcome.PASSED, Outcome.TESTS_FAILED, Outcome.FORCED):
                    self._results[suite.feature, stage.tree] = suite

    def result(self, feature: int, tree: str) -> SuiteResult:
        """Return the result of a suite that `test` ran."""
        return self._results[feature, tree]

    def surroundings(self, features: Sequence[int]) -> Surroundings:
        """Return what the rules that sanitize submissions know of these features and the image."""
        return surroundings_of(self.task, features, self.base.image_digest, self.settings, self._labels)

    def reference(
        self, feature: int, stop: threading.Event | None = None, *, skip_install: bool = False
    ) -> SuiteReference:
        """Return how the feature's tests run with the gold patch, from the cache or by running them.

        The one with the installation skipped is not `usable` if no test passed that way. Without skipping, raises
        `EvaluationError` if the gold patch does not apply or makes no test pass: then the task is broken.
        """
        key = self.address(str(feature), self.settings.network(self.task), *(["offline"] if skip_install else []))
        path = cache_dir() / "references" / f"{key}.json"
        with _locks[path]:
            try:
                return read_model(path, SuiteReference)
            except (FileNotFoundError, RecordError):
                make = self._make_skipping_reference if skip_install else self._make_reference
                reference = make(feature, stop or threading.Event())
                write_model(path, reference)
                return reference

    def _make_reference(self, feature: int, stop: threading.Event) -> SuiteReference:
        tree = self._gold_tree(feature)
        watch = self._must_watch_install(tree)
        run = self.runner.run(feature, tree, stop, watch=watch)
        reference = make_reference(feature, tree, run)
        if watch and reference.usable:
            self._note_install(feature, run, reference, stop)
        # One that was only slow is not a runner whose reports cannot be had: text would be weaker for ever.
        if not reference.usable and not run.timed_out:
            run = self.runner.run(feature, tree, stop, structured=False)
            reference = make_reference(feature, tree, run, structured=False)
        if not reference.usable:
            said = f"time limit reached after {run.seconds:.0f} s" if run.timed_out else telling_line(run.output)
            raise EvaluationError(
                f"no test of feature {feature} passes with its gold patch: {said}",
                subject=self.task.key,
                hint=self._hint,
            )
        return reference

    def _make_skipping_reference(self, feature: int, stop: threading.Event) -> SuiteReference:
        tree = self._gold_tree(feature)
        return make_reference(feature, tree, self.runner.run(feature, tree, stop, skip_install=True))

    def _gold_tree(self, feature: int) -> str:
        tree = apply_exactly(self.store, self.base.tree, self.task.features[feature].gold_patch)
        if tree is None:
            raise EvaluationError(
                f"the gold patch of feature {feature} does not apply", subject=self.task.key, hint=self._hint
            )
        return tree

    @property
    def _hint(self) -> str:
        return f"cooperbench tasks validate -r {self.task.repo} -t {self.task.task_id}"

    def address(self, *parts: str) -> str:
        """Return a digest of the task, its image, the evaluator and these parts, under which results are kept."""
        facts = (
            EVALUATOR,
            self.task.key,
            self.task.revision,
            self.base.tree,
            self.task.image,
            str(self.base.image_digest),
        )
        return hashlib.sha256("\0".join((*facts, *parts)).encode()).hexdigest()[:32]

    def _can_skip_install(self, tree: str) -> bool:
        """Tell whether the runner would install what is installed already. Known once the run of a gold patch was watched."""
        if self.settings.choices.install == "always":
            return False
        if not self._installers:  # nothing to leave out but the network
            return self.settings.may_cut_off and not self.task.recipe.bundled and self._runner.is_file()
        try:
            record = read_model(self._install_record, InstallRecord)
        except (FileNotFoundError, RecordError):
            return False
        return not record.changed and not reads_of_installation(self._installers, self.store, self.base.tree, tree)

    @cached_property
    def _installers(self) -> Sequence[Installer]:
        return installers_of(self.task.runner) if self._runner.is_file() else ()

    @property
    def _runner(self) -> Path:
        return self.task.path / "runner.sh"

    @cached_property
    def _install_record(self) -> Path:
        return cache_dir() / "installs" / f"{self.address('install')}.json"

    def _must_watch_install(self, tree: str) -> bool:
        """Tell whether to watch this run: that of the first gold patch which changes nothing that an installation reads."""
        wanted = (
            self.settings.choices.install == "once" and bool(self._installers) and not self._install_record.is_file()
        )
        return wanted and not reads_of_installation(self._installers, self.store, self.base.tree, tree)

    def _note_install(self, feature: int, run: SuiteRun, reference: SuiteReference, stop: threading.Event) -> None:
        """Keep what the installation changed. What also changes the results of the gold patch is no short-cut at all."""
        if run.installed is None or run.exit_code != 0:
            return
        changed = tuple(run.installed[:50])
        if not changed:
            skipped = self.runner.run(feature, reference.tree, stop, skip_install=True)
            if suite_verdict(feature, skipped, reference).outcome is not Outcome.PASSED:
                changed = (f"the results: {telling_line(skipped.output)}",)
        write_model(
            self._install_record,
            InstallRecord(image=self.task.image, image_digest=self.base.image_digest, changed=changed),
        )

    def _test_one(self, feature: int, tree: str, stop: threading.Event) -> SuiteResult:
        try:
            measured = self._measure_skipping(feature, tree, stop) or self._measure(feature, tree, stop)
            if self.settings.choices.falsify == "off" or measured.result.outcome is not Outcome.PASSED:
                return measured.result
            runs = self._feature_runs(feature, measured.reference, stop, skip_install=measured.skip_install)
            found = falsify(runs, tree, self.seed, self._challenges(feature))
            return with_falsification(measured.result, found, judge=self.settings.choices.falsify == "on")
        except (SandboxError, EvaluationError) as error:
            return SuiteResult(feature=feature, outcome=Outcome.INFRA_ERROR, reason=str(error))

    def _measure(self, feature: int, tree: str, stop: threading.Event) -> "_Measured":
        reference = self.reference(feature, stop)
        run = self.runner.run(feature, tree, stop, structured=reference.structured)
        result = suite_verdict(feature, run, reference, watched=self.settings.protected)
        return _Measured(result, reference, False)

    def _measure_skipping(self, feature: int, tree: str, stop: threading.Event) -> "_Measured | None":
        """Test without installation and network. `None` says nothing about the work: it has to be tested with both."""
        gold = self._gold_tree(feature)
        if self._must_watch_install(gold):
            self.reference(feature, stop)
        if not (self._can_skip_install(tree) and self._can_skip_install(gold)):
            return None
        reference = self.reference(feature, stop, skip_install=True)
        if not reference.usable or reference.exit_code != 0:
            return None
        run = self.runner.run(feature, tree, stop, skip_install=True)
        # Where no test was reported, what stands in for the installer may be why, or a download that was not possible.
        reported = run.timed_out or run.report.source == reference.source
        reported = reported or not (self._installers or failed_to_install(run))
        result = suite_verdict(feature, run, reference, watched=self.settings.protected)
        return _Measured(result, reference, True) if reported else None

    def breakable(self, reference: SuiteReference, on_base: SuiteRun | None = None) -> Pool:
        """Return which of a feature's tests can be broken, from the cache or by running the gold patch.

        `reference` is the gold patch's run, `on_base` that of the base, if known.
        """
        runs = self._feature_runs(reference.feature, reference, threading.Event(), skip_install=False)
        return pool_of(runs, self._challenges(reference.feature), on_base)

    def _feature_runs(
        self, feature: int, reference: SuiteReference, stop: threading.Event, *, skip_install: bool
    ) -> FeatureRuns:
        return FeatureRuns(self.runner, feature, self._gold_tree(feature), reference, skip_install, stop)

    def _challenges(self, feature: int) -> Path:
        return cache_dir() / "challenges" / self.address(str(feature))


class _Measured(NamedTuple):
    """The result of a suite, and the run of the gold patch that it was measured by."""

    result: SuiteResult
    reference: SuiteReference
    skip_install: bool
