"""Found by every Python that is started with this folder on its path: gives `python -m unittest` a signed report of what really ran,
and answers `pip install` where the evaluator knows that installing again would change nothing.

Programs are told by the command line that the system shows, so it does not matter how they are made or start themselves. Everything
else is left alone, and the next `sitecustomize` is loaded as if this one were not there. Python 3.6 is enough for it.
"""

import importlib.machinery
import os
import re
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_PIP_COMMANDS = {"install", "help", "download", "uninstall", "freeze", "inspect", "list", "show", "check", "config", "search"}
_PIP_COMMANDS |= {"cache", "index", "wheel", "hash", "completion", "debug", "lock"}


def _load_the_next():
    places = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    found = importlib.machinery.PathFinder.find_spec("sitecustomize", places)
    if found is not None and found.loader is not None:
        found.loader.exec_module(sys.modules[__name__])


def _command_line():
    """How the interpreter was started (`m` for a module, `c` for code, else empty), and the program with its arguments."""
    words = getattr(sys, "orig_argv", None)
    if words is None:
        try:
            with open("/proc/self/cmdline") as stream:
                words = stream.read().split("\0")[:-1]
        except OSError:
            words = []
    words = list(words[1:])
    while words and words[0].startswith("-"):
        word = words.pop(0)
        how, attached = (re.match(r"-[bBdEhiIOPqRsStuvVx]*([mc])(.*)$", word, re.DOTALL) or re.match("()()", "")).groups()
        if how:
            return how, ([attached] if attached else []) + words
        if word in ("-W", "-X", "--check-hash-based-pycs"):
            words = words[1:]
    return "", words


def _answer_pip(how, program):
    """End a process that would install again. What the real pip starts is the real pip."""
    name = program[0] if program else ""
    is_pip = name == "pip" if how else re.match(r"pip[0-9.]*(\.pyz)?$", os.path.basename(name))
    if how == "c" or not is_pip or not os.environ.pop("COOPERBENCH_INSTALLED", ""):
        return
    if next((word for word in program[1:] if word in _PIP_COMMANDS), "") == "install":
        sys.stdout.write("already installed in this image; nothing to do for: pip " + " ".join(program[1:]) + "\n")
        sys.stdout.flush()
        os._exit(0)


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


_how, _program = _command_line()
_answer_pip(_how, _program)
_load_the_next()
if _how == "m" and _program[:1] == ["unittest"]:
    _watch_unittest()
