"""Found by every Python that is started with this folder on its path: gives `python -m unittest` a signed report of what really ran.

Everything else is left alone, and the next `sitecustomize` is loaded as if this one were not there. Python 3.6 is enough for it.
"""

import importlib.machinery
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _load_the_next():
    places = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    found = importlib.machinery.PathFinder.find_spec("sitecustomize", places)
    if found is not None and found.loader is not None:
        found.loader.exec_module(sys.modules[__name__])


def _runs_unittest():
    words = getattr(sys, "orig_argv", None)
    if words is None:
        try:
            with open("/proc/self/cmdline") as stream:
                words = stream.read().split("\0")
        except OSError:
            return False
    return "-m" in words and words[words.index("-m") + 1 : words.index("-m") + 2] == ["unittest"]


def _tests_of(suite):
    try:
        members = list(suite)
    except TypeError:
        yield suite
    else:
        for member in members:
            for test in _tests_of(member):
                yield test


def _watch_unittest():
    import unittest

    import cooperbench_chain as chain

    watched = ("unittest",)
    place = chain.folder()
    sys.modules.pop("cooperbench_chain", None)
    sign, changed_files, functions, code_of = chain.claim(place), chain.changed_files, chain.functions, chain.code_of
    chain.give_back_environment()
    runner = unittest.TextTestRunner
    run, make_result = runner.run, runner._makeResult
    seen = {}
    changed = set()
    codes = {}

    def method(test):
        return code_of(getattr(test, getattr(test, "_testMethodName", ""), None))

    def note(status, test):
        name = test.id() if hasattr(test, "id") else str(test)
        order = ("passed", "skipped", "failed", "error")
        seen[name] = max(seen.get(name, status), status, key=order.index)
        if name in codes and method(test) is not codes[name]:
            changed.add(name)

    def watching(result, name, status):
        real = getattr(result, name)

        def noted(test, *arguments):
            if name != "addSubTest" or arguments[-1] is not None:  # one that passed is not the test's end
                note(status, test)
            return real(test, *arguments)

        return noted

    def our_make_result(self):
        result = make_result(self)
        ends = {"addSuccess": "passed", "addFailure": "failed", "addError": "error", "addSkip": "skipped"}
        ends.update(addExpectedFailure="skipped", addUnexpectedSuccess="failed", addSubTest="failed")
        for name, status in ends.items():
            setattr(result, name, watching(result, name, status))
        return result

    def our_run(self, test):
        runner.run, runner._makeResult = run, make_result  # what a test runs is its own business
        self._makeResult = our_make_result.__get__(self)
        changed.update(changed_files(place))
        for case in _tests_of(test):
            codes[case.id()] = method(case)
            module = getattr(sys.modules.get(type(case).__module__), "__file__", None)
            if codes[case.id()] is not None and module is not None and codes[case.id()].co_filename != module:
                changed.add(case.id())
        result = run(self, test)
        now = functions(watched)
        changed.update(name for name, code in before.items() if name in now and now[name] is not code)
        lines = ["unittest-guard"] + [status + " " + name for name, status in seen.items()]
        sign(lines + ["changed " + name for name in sorted(changed)])
        return result

    before = functions(watched)
    runner.run, runner._makeResult = our_run, our_make_result


_load_the_next()
if _runs_unittest():
    _watch_unittest()
