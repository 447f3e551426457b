"""Test trees: run each hidden suite on each tree once, side by side, in fresh sandboxes, measured by the gold patch.

How a feature's tests run with the gold patch alone is measured once for each image, and cached. A submission runs under exactly the
conditions of such a measurement: where its installation is skipped, that of the gold patch was skipped too.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from cooperbench.environments import SandboxLabels
from cooperbench.errors import CooperBenchError, EvaluationError, RecordError, SandboxError
from cooperbench.evaluation.bases import Base
from cooperbench.evaluation.falsification import EDITS, FeatureRuns, Pool, falsify, falsifying, new_seed, pool_of
from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.installation import Installation
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
from cooperbench.records import Outcome, Stage, SuiteResult, cache_dir, read_model, write_model
from cooperbench.tasks import Task

EVALUATOR = "cooperbench-evaluator@11"
"""Part of every key: a change in what a verdict means needs a new number."""


VERSIONS = 3
"""Suites of a pass, the real one and two halves: where there is a processor for each, all begin together."""

_Key = tuple[int, str]
"""A suite: feature and tree."""


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
        self._waited_for = settings.slots is None
        """True if nothing else is evaluated beside this: then processors that would idle are worth a guess."""
        slots = settings.slots or ThreadSlots(self.workers, ahead=self.workers)
        self.settings = replace(settings, slots=slots)
        self._labels = labels
        compiled = cache_dir() / "builds" / self.address("build cache without tests")
        self.runner = SuiteRunner(task, base, store, self.settings, labels, compiled)
        record = cache_dir() / "installs" / f"{self.address('install')}.json"
        self._installation = Installation(task, self.base, store, self.settings, record)
        self.seed = seed or new_seed()
        self._results: dict[_Key, SuiteResult] = {}
        self._passed: dict[_Key, FeatureRuns] = {}
        """Suites that passed, and are not proven."""

    def test(self, suites: Iterable[tuple[int, str]], alone: Iterable[tuple[int, str]] = ()) -> None:
        """Run the suites (feature, tree) that were not run yet, side by side. `result` returns their results.

        Passes are proven. Those of `alone`, on one member's work, are proven only where the feature did not pass among `suites`: forced
        results would be forced there, too.
        """
        merged, alone = list(dict.fromkeys(suites)), list(dict.fromkeys(alone))
        wanted = [suite for suite in dict.fromkeys((*merged, *alone)) if suite not in self._results]
        early = self._waited_for and VERSIONS * len(wanted) <= self.workers
        self._side_by_side(wanted, lambda suite, stop: self._test_one(*suite, stop, suite in merged, early))
        passed = {suite[0] for suite in merged if self._results[suite].outcome is Outcome.PASSED}
        unproven = [suite for suite in alone if suite in self._passed and suite[0] not in passed]
        self._side_by_side(unproven, self._prove)

    def _side_by_side(self, suites: Sequence[_Key], work: Callable[[_Key, threading.Event], SuiteResult]) -> None:
        stop = threading.Event()
        # Twice as many as run: the others start the next sandboxes and end the last.
        pool = ThreadPoolExecutor(min(2 * self.workers, len(suites)) or 1, thread_name_prefix="suite")
        try:
            futures = {pool.submit(work, suite, stop): suite for suite in suites}
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
        watch = self._installation.unwatched(tree)
        run = self.runner.run(feature, tree, stop, watch=watch)
        reference = make_reference(feature, tree, run, self.runner.hidden_files(feature))
        if watch and reference.usable:
            self._installation.note(run, reference, lambda: self.runner.run(feature, tree, stop, skip_install=True))
        # One that was only slow is not a runner whose reports cannot be had: text would be weaker for ever.
        if not reference.usable and not run.timed_out:
            run = self.runner.run(feature, tree, stop, structured=False)
            reference = make_reference(feature, tree, run, self.runner.hidden_files(feature), structured=False)
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
        run = self.runner.run(feature, tree, stop, skip_install=True)
        return make_reference(feature, tree, run, self.runner.hidden_files(feature))

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

    def _test_one(self, feature: int, tree: str, stop: threading.Event, prove: bool, early: bool) -> SuiteResult:
        try:
            for runs in self._conditions(feature, tree, stop):
                result = self._measure(runs, tree, prove, early)
                if result is not None:
                    return result
        except (SandboxError, EvaluationError) as error:
            return _infra_error(feature, error)
        raise AssertionError("a suite with its installation always says something")

    def _conditions(self, feature: int, tree: str, stop: threading.Event) -> Iterator[FeatureRuns]:
        """Yield the ways to run a suite: without installation and network where the gold patch passes that way, then with both."""
        gold = self._gold_tree(feature)
        if self._installation.unwatched(gold):
            self.reference(feature, stop)
        if self._installation.can_be_skipped(tree) and self._installation.can_be_skipped(gold):
            reference = self.reference(feature, stop, skip_install=True)
            if reference.usable and reference.exit_code == 0:
                yield self._feature_runs(feature, reference, stop, skip_install=True)
        yield self._feature_runs(feature, self.reference(feature, stop), stop, skip_install=False)

    def _measure(self, runs: FeatureRuns, tree: str, prove: bool, early: bool) -> SuiteResult | None:
        """Run a suite, and prove its pass. `None` says nothing about the work: it has to be tested with its installation."""
        mode = self.settings.choices.falsify
        prove = prove and mode != "off"
        folder = self._challenges(runs.feature)
        with falsifying(runs, tree, self.seed, folder, early=prove and early) as falsified:
            run = runs.run_submission(tree)
            result = suite_verdict(runs.feature, run, runs.reference, watched=self.settings.protected)
            if result.outcome is Outcome.PASSED:
                if prove:
                    return with_falsification(result, falsified(), judge=mode == "on")
                if mode != "off":
                    self._passed[runs.feature, tree] = runs
                return result
        return result if not runs.skip_install or self._says_enough(run, runs.reference, tree) else None

    def _says_enough(self, run: SuiteRun, reference: SuiteReference, tree: str) -> bool:
        """Tell whether a failure without installation and network is one of the work.

        Where no test was reported, what stands in for the installer may be why. Where work names dependencies for a tool that is not
        known here, such as poetry or tox, a download that was not possible may be.
        """
        if not self._installation.installers:
            return not (failed_to_install(run) or self._installation.may_need_network(tree))
        return run.timed_out or run.report.source == reference.source

    def _prove(self, suite: _Key, stop: threading.Event) -> SuiteResult:
        feature, tree = suite
        try:
            found = falsify(replace(self._passed[suite], stop=stop), tree, self.seed, self._challenges(feature))
        except (SandboxError, EvaluationError) as error:
            return _infra_error(feature, error)
        return with_falsification(self._results[suite], found, judge=self.settings.choices.falsify == "on")

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
        return cache_dir() / "challenges" / self.address(str(feature), EDITS)


def _infra_error(feature: int, error: CooperBenchError) -> SuiteResult:
    return SuiteResult(feature=feature, outcome=Outcome.INFRA_ERROR, reason=str(error))
