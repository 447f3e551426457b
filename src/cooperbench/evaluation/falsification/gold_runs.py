"""Run a feature's hidden tests, with edits in them, on the gold patch and on other trees, always under the same conditions."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cooperbench.errors import EvaluationError
from cooperbench.evaluation.falsification.edits import Edit, apply_edits
from cooperbench.evaluation.suite_runner import SuiteRunner
from cooperbench.evaluation.suite_verdict import SuiteReference, failed_to_install
from cooperbench.evaluation.suites import SuiteRun

Broken = Iterable[tuple[str, Edit]]
"""Edits, each with the path of its file."""


@dataclass(frozen=True)
class FeatureRuns:
    """Runs one feature's suite as the reference was made: the same installation, the same report."""

    runner: SuiteRunner
    feature: int
    gold: str
    """The tree of the gold patch."""
    reference: SuiteReference
    skip_install: bool
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def sources(self) -> Mapping[str, bytes]:
        """The hidden test files, by path."""
        return self.runner.hidden_files(self.feature)

    @property
    def conditions(self) -> str:
        """Name what the runs have in common: whether they install, and their network."""
        network = self.runner.settings.network(self.runner.task)
        return "offline" if self.skip_install else f"network-{network}"

    @property
    def gold_limit(self) -> float:
        """Seconds after which a run of the gold patch with broken tests is given up: far above what the tests take."""
        return min(self.runner.settings.choices.time_limit, 60 + 5 * self.reference.seconds)

    def run(self, tree: str, broken: Broken = (), time_limit: float | None = None) -> SuiteRun:
        """Run the suite on a tree. Raises the classes below `SandboxError`, and `EvaluationError` once stopped."""
        edits: defaultdict[str, list[Edit]] = defaultdict(list)
        for path, edit in broken:
            edits[path].append(edit)
        sources = self.sources
        return self.runner.run(
            self.feature,
            tree,
            self.stop,
            structured=self.reference.structured,
            skip_install=self.skip_install,
            edited={path: apply_edits(sources[path], each) for path, each in edits.items()},
            time_limit=time_limit,
        )

    def run_submission(self, tree: str, broken: Broken = ()) -> SuiteRun:
        """Run the suite on a submission's tree. One that seems to have had no network has to show it beside the gold patch.

        Raises `EvaluationError` if the gold patch cannot be installed now either. What is printed may come from the code under test.
        """
        run = self.run(tree, broken)
        if self.skip_install or not failed_to_install(run):
            return run
        if failed_to_install(self.run(self.gold)):
            raise EvaluationError("the runner could not install what the tests need", subject=self.runner.task.key)
        return self.run(tree, broken)
