"""A pytest plugin that reports what really ran. The evaluator puts it into the sandbox; it is not imported by CooperBench.

It is loaded before any code of the repository. It takes the key that the evaluator left beside it, removes the file, and signs
its report with the key, so that a report written by anything else is recognised. It also notes when test functions or the
test runner's own functions change while tests run. Python 3.6 and pytest 5 are enough for it.

What runs in one process cannot be protected from other code in that process that is written against it; together with the
names of the tests that must pass, this stops what is known and makes the rest visible work.
"""

import hashlib
import hmac
import json
import os
import sys
import types

import pytest

WATCHED = ("_pytest", "pluggy", "unittest")


def _functions():
    """Every function of the test runner, by a readable name."""
    found = {}
    for name, module in list(sys.modules.items()):
        if module is None or name.split(".")[0] not in WATCHED:
            continue
        for key, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and value.__module__ == name:
                found[name + "." + key] = value.__code__
            elif isinstance(value, type) and value.__module__ == name:
                for attribute, member in list(vars(value).items()):
                    member = getattr(member, "__func__", getattr(member, "fget", member))
                    if isinstance(member, types.FunctionType):
                        found[name + "." + key + "." + attribute] = member.__code__
    return found


def _code_of(item):
    function = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    return getattr(function, "__code__", None)


def _hooks():
    folder = os.path.dirname(os.path.abspath(__file__))
    key_file = os.path.join(folder, "key")
    try:
        with open(key_file, "rb") as stream:
            key = stream.read()
        os.unlink(key_file)
    except OSError:
        return {}  # a second pytest, started by a test: the report is the first one's business
    for name in ("PYTEST_ADDOPTS", "PYTHONPATH"):
        before = os.environ.get("COOPERBENCH_" + name)
        if before:
            os.environ[name] = before
        else:
            os.environ.pop(name, None)
    runner_code = _functions()
    main = []
    tests = {}
    collected = {}
    errors = []
    changed = set()

    def pytest_configure(config):
        main.append(config)
        sys.modules.pop(__name__, None)  # pytest keeps what it needs; others need not find it

    def pytest_collection_finish(session):
        if session.config is main[0]:
            for item in session.items:
                code = _code_of(item)
                collected[item.nodeid] = (item, code)
                module = getattr(getattr(item, "module", None), "__file__", None)
                # Decorators of libraries do this too: the gold patch's run says what is usual for a test.
                if code is not None and module is not None and code.co_filename != module:
                    changed.add(item.nodeid)

    def pytest_collectreport(report):
        if report.failed:
            errors.append(report.nodeid)

    def pytest_runtest_logreport(report):
        phases = tests.setdefault(report.nodeid, {})
        phases[report.when] = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        item, code = collected.get(report.nodeid, (None, None))
        if item is not None and code is not None and _code_of(item) is not code:
            changed.add(report.nodeid)

    def pytest_sessionfinish(session, exitstatus):
        if session.config is not main[0]:
            return
        now = _functions()
        changed.update(name for name, code in runner_code.items() if name in now and now[name] is not code)
        report = {"exit": int(exitstatus), "tests": tests, "errors": errors, "changed": sorted(changed)}
        body = json.dumps(report).encode("utf-8", "backslashreplace")
        signature = hmac.new(key, body, hashlib.sha256).hexdigest().encode()
        with open(os.path.join(folder, "report"), "wb") as stream:
            stream.write(signature + b"\n" + body)

    hooks = [pytest_configure, pytest_collection_finish, pytest_collectreport, pytest_runtest_logreport]
    found = {hook.__name__: hook for hook in hooks}
    found["pytest_sessionfinish"] = pytest.hookimpl(trylast=True)(pytest_sessionfinish)
    return found


globals().update(_hooks())
