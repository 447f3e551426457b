"""Validate a task: every feature fails on the base and passes with its gold patch, in each repetition.

The task's runner runs as it is, installation included, so that a maintainer sees what users will meet.
"""

import threading
from collections.abc import Callable, Sequence

from cooperbench.environments import EnvironmentOptions, SandboxLabels, open_environment
from cooperbench.errors import CooperBenchError
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.falsification import Pool
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.gold import gold_conflicts
from cooperbench.evaluation.kept_work import work_through
from cooperbench.evaluation.sanitize import apply_exactly, clean_submission
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.stages import hidden_paths
from cooperbench.evaluation.suite_verdict import SuiteReference, make_reference, suite_verdict, telling_line
from cooperbench.evaluation.suites import SuiteRun
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import TIME_LIMIT, EvaluationChoices, Install, Outcome, Record, TestStatus, cache_dir
from cooperbench.tasks import Task

_LATER_HISTORY = "git rev-list --count --all --reflog --not HEAD"


class FeatureValidation(Record):
    """One feature's gold patch and hidden tests."""

    feature: int
    fails_on_base: bool = False
    """Some test that the gold patch makes pass does not pass without it."""
    passes_on_gold: bool = False
    """Exit code 0 and at least one test passed, in every repetition."""
    passes_combined: bool | None = None
    """With `combined.patch`, at least one test; `None` if the task has none."""
    tests: int = 0
    """Tests that pass with the gold patch."""
    flaky: tuple[str, ...] = ()
    """Tests whose result was not always the same."""
    dropped: tuple[str, ...] = ()
    """Files of the gold patch that the cleaning rules would leave out of a submission."""
    fail_to_pass: int = 0
    """Test functions that pass with the gold patch and not without it."""
    breakable: int = 0
    """Those whose expectations can be broken so that the gold patch fails them: by these a pass is proven."""
    unbreakable: tuple[str, ...] = ()
    """The others."""
    source: str = ""
    """The source of the test results, such as `pytest-guard`."""
    seconds: float = 0.0
    """Of one run with the gold patch."""
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True if the feature can be used."""
        return not self.problems


class TaskValidation(Record):
    """One task on one backend."""

    repo: str
    task_id: int
    backend: str
    image: str
    image_digest: str | None = None
    repetitions: int
    features: tuple[FeatureValidation, ...] = ()
    pairs: int = 0
    pairs_conflicting: int = 0
    later_commits: int | None = None
    """Commits in the image that the base does not reach. The harness removes them before agents start."""
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True if all of the task can be used."""
        return not self.problems and all(feature.ok for feature in self.features)


def validate_task(
    task: Task,
    *,
    backend: str,
    repetitions: int = 1,
    features: Sequence[int] | None = None,
    time_limit: float = TIME_LIMIT,
    install: Install = "always",
    workers: int | None = None,
    finished: Callable[[FeatureValidation], None] = lambda feature: None,
    kept: Callable[[FeatureValidation], None] | None = None,
) -> TaskValidation:
    """Check a task. Faults of the task and a missing image are findings, not exceptions.

    A check that was interrupted goes on where it was. `finished` is called after each feature, or `kept` for those known already.
    """
    found = TaskValidation(
        repo=task.repo, task_id=task.task_id, backend=backend, image=task.image, repetitions=repetitions
    )
    labels = SandboxLabels(run="validation", episode=task.key.replace("/", "-"))
    choices = EvaluationChoices(time_limit=time_limit, install=install, network="default")
    settings = EvaluationSettings(backend, choices=choices, workers=workers)
    try:
        base = base_of(task, backend)
        later = _later_commits(task, backend)
        with open_store(base.store) as store:
            validator = _Validator(TestBench(task, base, store, settings, labels), repetitions)
            checked = validator.check(tuple(features or task.features), labels, finished, kept or finished)
        pairs = [] if any("does not apply" in p for f in checked for p in f.problems) else gold_conflicts(task, base)
    except CooperBenchError as error:
        return found.model_copy(update={"problems": (str(error),)})
    return found.model_copy(
        update={
            "image_digest": base.image_digest,
            "features": checked,
            "pairs": len(pairs),
            "pairs_conflicting": sum(not pair.clean for pair in pairs),
            "later_commits": later,
        }
    )


class _Validator:
    """Checks the features of one task."""

    def __init__(self, bench: TestBench, repetitions: int) -> None:
        self.bench = bench
        self.repetitions = repetitions
        self.task, self.store, self.base = bench.task, bench.store, bench.base
        combined = self.task.combined_patch
        self.combined = apply_exactly(self.store, self.base.tree, combined) if combined else None
        self.combined_rejected = bool(combined) and self.combined is None

    def check(
        self,
        numbers: tuple[int, ...],
        labels: SandboxLabels,
        finished: Callable[[FeatureValidation], None],
        kept: Callable[[FeatureValidation], None],
    ) -> tuple[FeatureValidation, ...]:
        """Check features side by side; results of an interrupted check are used again."""
        choices = self.bench.settings.choices.model_dump_json()
        return work_through(
            numbers,
            self.feature,
            FeatureValidation,
            cache_dir()
            / "validations"
            / self.bench.address(self.bench.settings.backend, str(self.repetitions), choices),
            workers=2 * self.bench.workers,  # half of them start and end sandboxes
            labels=labels,
            keep=lambda feature: feature.ok,
            finished=finished,
            kept=kept,
        )

    def feature(self, number: int, stop: threading.Event) -> FeatureValidation:
        """Run the feature's hidden tests on the base, on its gold patch, and on the combined patch, until `stop` is set."""
        gold = self.task.features[number].gold_patch
        tree = apply_exactly(self.store, self.base.tree, gold)
        if tree is None or tree == self.base.tree:
            problem = "the gold patch does not apply" if tree is None else "the gold patch is empty"
            return FeatureValidation(feature=number, problems=(problem,))
        try:
            first = self.bench.runner.run(number, tree, stop)
            structured = bool(first.report.tests)
            again = self.repetitions - 1 if structured else self.repetitions
            runs = ([first] if structured else []) + [
                self.bench.runner.run(number, tree, stop, structured=structured) for _ in range(again)
            ]
            on_base = self.bench.runner.run(number, self.base.tree, stop, structured=structured)
            on_combined = (
                self.bench.runner.run(number, self.combined, stop, structured=structured) if self.combined else None
            )
            sources = self.bench.runner.hidden_files(number)
            pool = self._pool(make_reference(number, tree, runs[0], sources, structured=structured), on_base)
        except CooperBenchError as error:
            return FeatureValidation(feature=number, problems=(str(error),))
        hidden, surroundings = hidden_paths(self.task, (number,)), self.bench.surroundings((number,))
        cleaned = clean_submission(self.store, self.base.tree, gold, hidden, surroundings=surroundings)
        found = self._conclude(number, tree, runs, on_base, on_combined)
        return found.model_copy(
            update={
                "dropped": tuple(part.path for part in cleaned.dropped),
                "fail_to_pass": pool.fail_to_pass,
                "breakable": len(pool.breakable),
                "unbreakable": pool.unbreakable,
            }
        )

    def _pool(self, reference: SuiteReference, on_base: SuiteRun) -> Pool:
        return self.bench.breakable(reference, on_base) if reference.usable else Pool()

    def _conclude(
        self,
        number: int,
        tree: str,
        runs: list[SuiteRun],
        on_base: SuiteRun,
        on_combined: SuiteRun | None,
    ) -> FeatureValidation:
        reference = make_reference(number, tree, runs[0], self.bench.runner.hidden_files(number))
        passes = all(run.exit_code == 0 and reference.usable for run in runs)
        fails_on_base = not _passes(on_base, reference)
        combined = on_combined and _passes(on_combined, reference)
        flaky = _flaky(runs)
        problems = []
        if not runs[0].report.tests:
            problems.append(f"the runner ran no test with its gold patch: {_failure(runs)}")
        elif not passes:
            problems.append(f"fails with its gold patch: {_failure(runs)}")
        if not fails_on_base:
            problems.append("passes without its gold patch")
        if (combined is False and reference.usable) or self.combined_rejected:
            problems.append("combined.patch does not apply" if self.combined_rejected else "fails with combined.patch")
        if flaky:
            problems.append(f"{len(flaky)} flaky tests: {_some(flaky)}")
        return FeatureValidation(
            feature=number,
            fails_on_base=fails_on_base,
            passes_on_gold=passes,
            passes_combined=combined,
            tests=len(reference.passed),
            flaky=flaky,
            source=reference.source,
            seconds=round(sum(run.seconds for run in runs) / len(runs), 2),
            problems=tuple(problems),
        )


def _passes(run: SuiteRun, reference: SuiteReference) -> bool:
    return reference.usable and suite_verdict(reference.feature, run, reference).outcome is Outcome.PASSED


def _flaky(runs: list[SuiteRun]) -> tuple[str, ...]:
    results = [{test.name: test.status for test in run.report.tests} for run in runs]
    names = sorted({name for found in results for name in found})
    return tuple(name for name in names if len({found.get(name) for found in results}) > 1)


def _failure(runs: list[SuiteRun]) -> str:
    """Describe a failed run: the failed tests by name, else the line that tells most."""
    failed = next((run for run in runs if run.exit_code != 0), runs[0])
    tests = [test.name for test in failed.report.tests if test.status in (TestStatus.FAILED, TestStatus.ERROR)]
    if tests:
        return _some(tests)
    return telling_line(failed.output) if failed.output.strip() else f"exit code {failed.exit_code}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _later_commits(task: Task, backend: str) -> int | None:
    labels = SandboxLabels(run="validation", episode=task.key.replace("/", "-"), agent_id="history")
    with open_environment(backend, task.image, options=EnvironmentOptions(lifetime=300), labels=labels) as environment:
        done = environment.run_script(_LATER_HISTORY, timeout=120)
    return int(done.stdout) if done.returncode == 0 else None
