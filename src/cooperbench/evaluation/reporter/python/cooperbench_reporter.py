"""A pytest plugin that reports what really ran. The evaluator puts it into the sandbox; it is not imported by CooperBench.

It is loaded before any code of the repository, takes the key that its report is signed with, and notes when test functions or the
test runner's own functions change while tests run. Workers of pytest-xdist note the same and send it with their results.
Python 3.6 and pytest 5 are enough for it.

What runs in one process cannot be protected from other code in that process that is written against it; together with the
names of the tests that must pass, this stops what is known and makes the rest visible work.
"""

import os
import sys

import cooperbench_chain as chain
import pytest

WATCHED = ("_pytest", "pluggy", "unittest")


def _status(phases):
    if phases.get("call") == "failed":
        return "failed"
    if "failed" in phases.values():
        return "error"
    return "passed" if phases.get("call") == phases.get("teardown") == "passed" else "skipped"


def _note(phases, report):
    # A phase is reported several times where a test has subtests: one that failed stays failed.
    if phases.get(report.when) != "failed":
        phases[report.when] = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome


def _watch(changed):
    """Hooks that fill `changed`."""
    functions, code_of = chain.functions, chain.code_of
    runner_code = functions(WATCHED)
    collected = {}

    def pytest_collection_finish(session):
        for item in session.items:
            code = code_of(getattr(item, "obj", None))
            collected[item.nodeid] = (item, code)
            module = getattr(getattr(item, "module", None), "__file__", None)
            # Decorators of libraries do this too: the gold patch's run says what is usual for a test.
            if code is not None and module is not None and code.co_filename != module:
                changed.add(item.nodeid)

    def look(nodeid):
        item, code = collected.get(nodeid, (None, None))
        if item is not None and code is not None and code_of(getattr(item, "obj", None)) is not code:
            changed.add(nodeid)
        now = functions(WATCHED) if nodeid is None else {}
        changed.update(name for name, code in runner_code.items() if name in now and now[name] is not code)

    return pytest_collection_finish, look


def _worker_hooks():
    """In a worker of pytest-xdist: nothing is signed here, what changed goes with the report of each test."""
    changed = set()
    chain.give_back_environment()
    pytest_collection_finish, look = _watch(changed)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        outcome = yield
        look(item.nodeid)
        if call.when == "teardown":
            look(None)
        outcome.get_result().cooperbench_changed = sorted(changed)

    return {"pytest_collection_finish": pytest_collection_finish, "pytest_runtest_makereport": pytest_runtest_makereport}


def _hooks():
    place = chain.folder()
    sys.modules.pop("cooperbench_chain", None)
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return _worker_hooks()
    if __name__ not in os.environ.get("PYTEST_ADDOPTS", ""):
        return {}
    sign = chain.claim(place)
    changed_files = chain.changed_files
    chain.give_back_environment()
    main = []
    tests = {}
    errors = []
    changed = set()
    collection_finish, look = _watch(changed)

    def pytest_configure(config):
        main.append(config)
        sys.modules.pop(__name__, None)  # pytest keeps what it needs; others need not find it

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(node):
        # A worker is started before it knows of any plugin, and with the variables that were given back.
        options = "-p " + __name__ + " " + os.environ.get("PYTEST_ADDOPTS", "")
        node.gateway.remote_exec("import os; os.environ['PYTEST_ADDOPTS'] = %r" % options).waitclose(30)

    def pytest_collection_finish(session):
        if session.config is main[0]:
            collection_finish(session)
            changed.update(changed_files(place))

    def pytest_collectreport(report):
        if report.failed:
            errors.append(report.nodeid)

    def pytest_runtest_logreport(report):
        _note(tests.setdefault(report.nodeid, {}), report)
        changed.update(getattr(report, "cooperbench_changed", ()))
        look(report.nodeid)

    def pytest_sessionfinish(session, exitstatus):
        if session.config is not main[0]:
            return
        look(None)
        lines = ["pytest-guard"]
        lines += [_status(phases) + " " + name for name, phases in tests.items()]
        lines += ["error " + (name or "collection") for name in errors]
        sign(lines + ["changed " + name for name in sorted(changed)])

    hooks = [pytest_configure, pytest_configure_node, pytest_collection_finish, pytest_collectreport, pytest_runtest_logreport]
    found = {hook.__name__: hook for hook in hooks}
    found["pytest_sessionfinish"] = pytest.hookimpl(trylast=True)(pytest_sessionfinish)
    return found


globals().update(_hooks())
del chain
