"""A signed report of what really ran, for `python -m unittest`. Loaded by `sitecustomize` before any code of the repository."""

import sys
import unittest

import cooperbench_chain as chain
import cooperbench_watch as watch

_ENDS = {
    "addSuccess": "passed",
    "addFailure": "failed",
    "addError": "error",
    "addSkip": "skipped",
    "addExpectedFailure": "skipped",
    "addUnexpectedSuccess": "failed",
    "addSubTest": "failed",
}
_ORDER = ("passed", "skipped", "failed", "error")


def _tests_of(suite):
    try:
        members = list(suite)
    except TypeError:
        yield suite
    else:
        for member in members:
            for test in _tests_of(member):
                yield test


class _Noted(object):
    """What became of each test, and what is not what it was."""

    def __init__(self, code_of, stand_ins):
        self.seen = {}
        self.changed = set()
        self._codes = {}
        self._code_of = code_of
        self._stand_ins = stand_ins
        self._watch = watch.Watch(("unittest",))
        self._texts = watch.Texts()

    def _method(self, test):
        return self._code_of(getattr(test, getattr(test, "_testMethodName", ""), None))

    def collected(self, suite, hidden):
        """Compare every test with the text of its file; `hidden` are the paths of the hidden tests."""
        for case in _tests_of(suite):
            code = self._codes[case.id()] = self._method(case)
            module = sys.modules.get(type(case).__module__)
            path = getattr(module, "__file__", None)
            # Without code it is an object that can be called in the place of a function.
            if path is not None and (code is None or code.co_filename != path):
                self.changed.add(case.id())
            if path in hidden:
                self.changed.update(path + "::" + name for name in self._texts.differing(module))
        self.look()

    def note(self, status, test):
        """Note one end of a test; the worst counts."""
        name = test.id() if hasattr(test, "id") else str(test)
        self.seen[name] = max(self.seen.get(name, status), status, key=_ORDER.index)
        if name in self._codes and self._method(test) is not self._codes[name]:
            self.changed.add(name)
        self.changed.update(self._watch.changed(everything=False))

    def look(self):
        """Look at everything."""
        self.changed.update(self._watch.changed(everything=True))
        self.changed.update(self._stand_ins())


def _noting(result, name, noted):
    real = getattr(result, name)

    def note(test, *arguments):
        if name != "addSubTest" or arguments[-1] is not None:  # one that passed is not the test's end
            noted.note(_ENDS[name], test)
        return real(test, *arguments)

    return note


def watch_unittest():
    """Put ours around the first run of the test runner."""
    place = chain.folder()
    for name in ("cooperbench_chain", "cooperbench_watch", __name__):
        sys.modules.pop(name, None)
    sign, changed_files, hidden = chain.claim(place), chain.changed_files, chain.hidden_files(place)
    chain.give_back_environment()
    runner = unittest.TextTestRunner
    run, make_result = runner.run, runner._makeResult
    noted = _Noted(chain.code_of, watch.stand_ins)

    def our_make_result(self):
        result = make_result(self)
        for name in _ENDS:
            setattr(result, name, _noting(result, name, noted))
        return result

    def our_run(self, test):
        runner.run, runner._makeResult = run, make_result  # what a test runs is its own business
        self._makeResult = our_make_result.__get__(self)
        self.failfast = False  # where a test is broken, the others have to run, too
        noted.changed.update(changed_files(place))
        noted.collected(test, hidden)
        result = run(self, test)
        noted.look()
        lines = ["unittest-guard"] + [status + " " + name for name, status in noted.seen.items()]
        sign(lines + ["changed " + name for name in sorted(noted.changed)])
        return result

    runner.run, runner._makeResult = our_run, our_make_result
