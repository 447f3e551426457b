"""Testing trees: each hidden suite on each tree once, side by side, in fresh sandboxes, measured by the gold patch.

How a feature's tests run with the gold patch alone is found out once for an image and kept in the cache.
"""

import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from cooperbench.errors import EvaluationError, RecordError, SandboxError
from cooperbench.evaluation.bases import Base
from cooperbench.evaluation.cleaning import apply_exactly
from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.judging import SuiteReference, judge, make_reference
from cooperbench.evaluation.suites import SuiteConditions, SuiteRun, run_suite
from cooperbench.records import Outcome, SuiteResult, cache_dir, read_model, write_model
from cooperbench.tasks import Task

EVALUATOR = "cooperbench-evaluator@1"
"""Part of every key: a change of what a verdict means needs a new number."""
ATTEMPTS = 2
"""A sandbox that fails is tried once more; after that the suite is an `infra_error`."""

_reference_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class TestBench:
    """Runs suites of one task's features on trees of one store."""

    __test__ = False  # pytest would collect it by its name

    def __init__(
        self, task: Task, base: Base, store: GitStore, conditions: SuiteConditions, *, workers: int | None = None
    ) -> None:
        self.task = task
        self.base = base
        self.store = store
        self.conditions = conditions
        self.workers = workers or max(1, os.cpu_count() or 1)
        self._results: dict[tuple[int, str], SuiteResult] = {}

    def test(self, suites: Iterable[tuple[int, str]]) -> None:
        """Run the suites (feature, tree) that were not run yet, side by side. Results are read with `result`."""
        wanted = [suite for suite in dict.fromkeys(suites) if suite not in self._results]
        stop = threading.Event()
        pool = ThreadPoolExecutor(min(self.workers, len(wanted)) or 1, thread_name_prefix="suite")
        try:
            futures = {pool.submit(self._test_one, feature, tree, stop): (feature, tree) for feature, tree in wanted}
            wait(futures, return_when=FIRST_EXCEPTION)
            for future, suite in futures.items():
                self._results[suite] = future.result()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def result(self, feature: int, tree: str) -> SuiteResult:
        """The result of a suite that `test` ran."""
        return self._results[feature, tree]

    def reference(self, feature: int, stop: threading.Event | None = None) -> SuiteReference:
        """How the feature's tests run with the gold patch, from the cache or by running them.

        Raises `EvaluationError` when the gold patch does not apply or makes no test pass: the task is broken then.
        """
        path = cache_dir() / "references" / f"{self._reference_key(feature)}.json"
        with _reference_locks[path]:
            try:
                return read_model(path, SuiteReference)
            except (FileNotFoundError, RecordError):
                reference = self._make_reference(feature, stop or threading.Event())
                write_model(path, reference)
                return reference

    def _make_reference(self, feature: int, stop: threading.Event) -> SuiteReference:
        tree = apply_exactly(self.store, self.base.tree, self.task.features[feature].gold_patch)
        hint = f"cooperbench tasks validate -r {self.task.repo} -t {self.task.task_id}"
        if tree is None:
            raise EvaluationError(
                f"the gold patch of feature {feature} does not apply", subject=self.task.key, hint=hint
            )
        reference = make_reference(feature, tree, self._run(feature, tree, stop))
        if not reference.usable:
            last = reference.output_tail.strip().splitlines()[-1:] or ["nothing was printed"]
            raise EvaluationError(
                f"no test of feature {feature} passes with its gold patch: {last[0]}", subject=self.task.key, hint=hint
            )
        return reference

    def _reference_key(self, feature: int) -> str:
        parts = (
            EVALUATOR,
            self.task.key,
            self.task.revision,
            self.base.tree,
            self.task.image,
            str(self.base.image_digest),
            str(feature),
        )
        return hashlib.sha256("\0".join((*parts, self.conditions.network)).encode()).hexdigest()[:32]

    def _test_one(self, feature: int, tree: str, stop: threading.Event) -> SuiteResult:
        try:
            reference = self.reference(feature, stop)
            return judge(feature, self._run(feature, tree, stop), reference)
        except (SandboxError, EvaluationError) as error:
            return SuiteResult(feature=feature, outcome=Outcome.INFRA_ERROR, reason=str(error))

    def _run(self, feature: int, tree: str, stop: threading.Event) -> SuiteRun:
        patch = self.store.diff(self.base.tree, tree)
        labels = self.conditions.labels.model_copy(update={"agent_id": f"suite{feature}"})
        for attempt in range(1, ATTEMPTS + 1):
            if stop.is_set():
                raise EvaluationError("the evaluation was stopped")
            try:
                conditions = replace(self.conditions, labels=labels)
                return run_suite(self.task, self.task.features[feature].tests_patch, patch, conditions)
            except SandboxError:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")
