"""Collect, for each test that turns from fail to pass, edits that the gold patch was seen to fail.

All tests are broken at once, each by its next edit, and the gold patch runs: a few runs suffice for hundreds of tests. An edit counts
if its test fails and none of its cases vanishes; one that has the broken value in its name may get another name.
"""

import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from cooperbench.evaluation.falsification.edits import Edit, TestFunction, added_lines
from cooperbench.evaluation.falsification.gold_runs import FeatureRuns
from cooperbench.evaluation.falsification.languages import can_break, find_tests
from cooperbench.evaluation.falsification.vocabulary import Vocabulary
from cooperbench.records import Record, TestStatus

EDITS = "edits@6"
"""Part of every key of pools and challenges: a change in how tests are broken needs a new number."""
WANTED = 3
"""Edits for each test, so that it is not always broken in the same way."""
ROUNDS = 8
"""Rounds of the gold patch at most. On published tasks a test took 1.7 edits on average."""
SECONDS = 600.0
"""No further round begins after so many."""
MOST_RUNS = 16
"""Runs of the gold patch at most, those included that look for an edit which stops a whole file."""
_VOCABULARY_BYTES = 4_000_000
FAILED = (TestStatus.FAILED, TestStatus.ERROR)


class Breakable(Record):
    """A test function that turns from fail to pass, and the edits that the gold patch fails."""

    function: TestFunction
    """With these edits only."""
    tests: tuple[str, ...]
    """The names that the test runner reports for it with the gold patch."""


class Pool(Record):
    """The tests of one feature that can be broken."""

    breakable: tuple[Breakable, ...] = ()
    unbreakable: tuple[str, ...] = ()
    """Tests that turn from fail to pass, and that no edit broke."""
    reason: str = ""
    """Why there is none that can be broken."""
    timed_out: bool = False
    """True if a run of the gold patch reached its time limit, so that another search may find more."""

    @property
    def fail_to_pass(self) -> int:
        """Test functions that turn from fail to pass."""
        return len(self.breakable) + len(self.unbreakable)


def build_pool(runs: FeatureRuns, fail_to_pass: Sequence[str]) -> Pool:
    """Find the edits for the tests named, by running the gold patch."""
    if not fail_to_pass:
        return Pool(reason="every test passes without the gold patch")
    sources = runs.sources
    if not sources:
        return Pool(
            unbreakable=tuple(fail_to_pass), reason="git does not apply the hidden tests to the base as they are"
        )
    if not any(can_break(path) for path in sources):
        return Pool(unbreakable=tuple(fail_to_pass), reason="tests in this language cannot be broken yet")
    search = _EditSearch(runs, _functions(runs, sources), fail_to_pass)
    search.run()
    breakable = search.found()
    return Pool(
        breakable=breakable,
        unbreakable=(*search.without_edit(), *_not_found(search, sources, fail_to_pass)),
        reason="" if breakable else "no edit broke a test with the gold patch",
        timed_out=search.timed_out,
    )


def _not_found(search: "_EditSearch", sources: Mapping[str, bytes], fail_to_pass: Sequence[str]) -> list[str]:
    """List the tests of hidden files that are not in their source.

    Others are older tests, which did not run on the base only because a hidden file could not be read or compiled there.
    """
    known = {name for names in search.tests.values() for name in names}
    stems = [re.compile(rf"\b{re.escape(PurePosixPath(path).stem)}\b") for path in sources if not path.endswith(".go")]
    rest = [name for name in fail_to_pass if name not in known and any(stem.search(name) for stem in stems)]
    return list(dict.fromkeys(name.split("[", 1)[0] for name in rest))


def _functions(runs: FeatureRuns, sources: Mapping[str, bytes]) -> list[TestFunction]:
    store, base = runs.runner.store, runs.runner.base.tree
    suffixes = sorted({f"*.{path.rpartition('.')[2]}" for path in sources if can_break(path)})
    lines = store.run("grep", "-h", "-I", "-e", "", base, "--", *suffixes).stdout[:_VOCABULARY_BYTES]
    vocabulary = Vocabulary([*sources.values(), lines])
    found = []
    for path, source in sources.items():
        before = store.blob(f"{base}:{path}") if store.has(base, path) else None
        added = added_lines(before, source)
        found += [function.sorted(added, source) for function in find_tests(path, source, vocabulary)]
    return found


class _EditSearch:
    """Breaks tests, round by round."""

    def __init__(self, runs: FeatureRuns, functions: Iterable[TestFunction], fail_to_pass: Sequence[str]) -> None:
        self._runs = runs
        self._known = {*runs.reference.passed, *runs.reference.others}
        self.tests: dict[str, tuple[str, ...]] = {}
        self._functions: dict[str, TestFunction] = {}
        for function in functions:
            pattern = re.compile(function.reported)
            names = tuple(name for name in fail_to_pass if pattern.search(name))
            if names:
                self._functions[function.key], self.tests[function.key] = function, names
        self._left = {key: list(function.edits) for key, function in self._functions.items()}
        self._good: dict[str, list[Edit]] = {key: [] for key in self._functions}
        self._count = 0
        self.timed_out = False

    def found(self) -> tuple[Breakable, ...]:
        """List the functions with their good edits."""
        return tuple(
            Breakable(function=self._functions[key].model_copy(update={"edits": tuple(edits)}), tests=self.tests[key])
            for key, edits in self._good.items()
            if edits
        )

    def without_edit(self) -> list[str]:
        """List the functions that no edit broke."""
        return [key for key, edits in self._good.items() if not edits]

    def run(self) -> None:
        """Try edits until each test has enough, or nothing is left to try."""
        began = time.monotonic()
        for _ in range(ROUNDS):
            open_ = [key for key, edits in self._left.items() if edits and len(self._good[key]) < WANTED]
            if not open_ or self._count >= MOST_RUNS or time.monotonic() - began > SECONDS:
                return
            self._try({key: self._left[key].pop(0) for key in open_})

    def _try(self, choice: Mapping[str, Edit]) -> None:
        """Run the gold patch with all these edits. Where they took whole files of tests away, try again in halves."""
        self._count += 1
        broken = [(self._functions[key].path, edit) for key, edit in choice.items()]
        run = self._runs.run(self._runs.gold, broken, self._runs.gold_limit)
        self.timed_out = self.timed_out or run.timed_out
        results = {test.name: test.status for test in run.report.tests}
        cases = {key: self._cases(key, results) for key in choice}
        lost = [key for key in choice if not cases[key]]
        if len(lost) * 2 >= len(choice) > 1 and self._count < MOST_RUNS:
            keys = sorted(choice)
            random.Random(len(keys)).shuffle(keys)
            for half in (keys[::2], keys[1::2]):
                self._try({key: choice[key] for key in half})
            return
        for key, edit in choice.items():
            complete = len(cases[key]) >= len(self.tests[key])
            if complete and any(status in FAILED for status in cases[key]):
                self._good[key].append(edit)
                # Challenges take the least conspicuous edits only.
                self._left[key] = [each for each in self._left[key] if each.rank()[:3] <= edit.rank()[:3]]

    def _cases(self, key: str, results: Mapping[str, TestStatus]) -> list[TestStatus]:
        """Return the results of a test's cases: those known, and for those that are missing the ones with names of their own."""
        cases = [results[name] for name in self.tests[key] if name in results]
        if len(cases) < len(self.tests[key]):
            pattern = re.compile(self._functions[key].reported)
            cases += [status for name, status in results.items() if name not in self._known and pattern.search(name)]
        return cases
