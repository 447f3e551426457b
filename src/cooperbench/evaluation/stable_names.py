"""Compare a run's tests with those that have to pass, by name, where names may be made while tests run.

The name of a parametrised case, a subtest in Go, a title in jest or a generated function may hold text that the feature's own code
makes. Such a test is known by the part of its name that its source fixes.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from cooperbench.records import Record, TestCase, TestStatus

_GO_SUBTEST = re.compile(r"((?:.*?[.:])?(?:Test|Fuzz|Benchmark)\w*)/")


class FixedNames(Record):
    """What the source of the tests fixes of their names."""

    names: tuple[str, ...] = ()
    """Tests that run under this very name."""
    counted: tuple[str, ...] = ()
    """Functions whose cases have a fixed number, and names that may be made."""


NOTHING_FIXED = FixedNames()


def not_passed(
    tests: Iterable[TestCase],
    required: Collection[str],
    others: Collection[str],
    source: str,
    fixed: FixedNames = NOTHING_FIXED,
) -> dict[str, str]:
    """Return the required tests that did not pass, each with its status.

    If a test did not run under its exact name and that is not fixed, others stand for it. For a parametrised case: all cases of its
    function, at least one, or as many as are required where their number is fixed. Else: as many tests as are missing, of the same
    group and with names that are neither required nor among `others`, which the gold patch does not make pass. All that stand for
    a test have to pass.
    """
    results = {test.name: test.status for test in tests}
    known, exact = {*required, *others}, set(fixed.names)
    cases: defaultdict[str, list[TestStatus]] = defaultdict(list)
    newcomers: defaultdict[str, list[TestStatus]] = defaultdict(list)
    for name, status in results.items():
        cases[function_of(name)].append(status)
        if name not in known:
            newcomers[_group(name, source)].append(status)
    at_least = Counter(function for name in required if (function := function_of(name)) in fixed.counted)
    missing = Counter(_group(name, source) for name in required if name not in results)
    wrong: dict[str, str] = {}
    for name in required:
        if name in results:
            if results[name] is not TestStatus.PASSED:
                wrong[name] = results[name].value
        elif name in exact:
            wrong[name] = "did not run"
        elif function_of(name) != name and source.startswith("pytest"):
            if not _all_passed(cases[function_of(name)], at_least[function_of(name)] or 1):
                wrong[name] = "did not run"
        elif not _all_passed(newcomers[_group(name, source)], missing[_group(name, source)]):
            wrong[name] = "did not run"
    return wrong


def function_of(name: str) -> str:
    """Return a test of pytest without its case. A folder may have a bracket in its name, too."""
    start = name.find("[", max(name.find("::"), 0))
    return name if start < 0 else name[:start]


def _group(name: str, source: str) -> str:
    """Return what the source fixes: a test in Go and the file or class in other languages. Rust makes no names while tests run."""
    if source.startswith("go-"):
        subtest = _GO_SUBTEST.match(name)
        return subtest.group(1) if subtest else name
    if source.startswith(("jest", "vitest", "junit")):
        return name.split(":", 1)[0]
    if source.startswith(("pytest", "unittest")):
        parents, separator, _ = function_of(name).rpartition("::" if "::" in name else ".")
        return parents + separator
    return name


def _all_passed(results: Collection[TestStatus], at_least: int) -> bool:
    return len(results) >= at_least and all(result is TestStatus.PASSED for result in results)
