"""A pytest plugin that reports what really ran. The evaluator puts it into the sandbox; it is not imported by CooperBench.

It is loaded before any code of the repository, takes the key that its report is signed with, and notes when test functions or the
test runner's own functions, plugins and hooks change while tests run. Workers of pytest-xdist note the same and send it with their
results. Python 3.6 and pytest 5 are enough for it.

What runs in one process cannot be protected from other code in that process that is written against it; together with the
names of the tests that must pass, this stops what is known and makes the rest visible work.
"""

import os
import sys

import cooperbench_chain as chain
import cooperbench_watch as watch
import pytest
from _pytest.assertion.rewrite import rewrite_asserts
from _pytest.reports import TestReport
from pluggy import PluginManager

WATCHED = ("_pytest", "pytest", "pluggy", "unittest")
_ENDS = ("passed", "xfailed", "skipped", "failed")
_STOPS = ("maxfail", "stepwise", "stepwise_skip")


def _status(phases):
    if phases.get("call") == "failed":
        return "failed"
    if "failed" in phases.values():
        return "error"
    return "passed" if phases.get("call") == phases.get("teardown") == "passed" else "skipped"


def _note(phases, report):
    # A phase is reported several times where a test has subtests: the worst counts. `rerun` and the like of plugins end no test.
    outcome = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
    if outcome in _ENDS:
        phases[report.when] = max(phases.get(report.when, outcome), outcome, key=_ENDS.index)


def _plugins(manager, is_watched, name_of=watch.name_of, function_of=watch.function_of):
    """What has a say beside pytest itself, and hooks that are not what their plugin has under their name."""
    for plugin in manager.get_plugins():
        if plugin is not _OURS and not is_watched(plugin):
            yield "plugin " + (getattr(plugin, "__name__", None) or name_of(plugin))
    if function_of(getattr(manager, "_inner_hookexec", None)) is not _MULTICALL:
        yield "the caller of hooks"
    for hook, caller in list(vars(manager.hook).items()):
        if getattr(getattr(caller, "_hookexec", None), "__func__", _HOOKEXEC) is not _HOOKEXEC:
            yield "the caller of " + hook
        for each in caller.get_hookimpls() if hasattr(caller, "get_hookimpls") else ():
            if function_of(getattr(each.plugin, hook, None)) is not function_of(each.function):
                yield "hook %s of %s" % (hook, each.plugin_name)


_OURS = sys.modules[__name__]
_MULTICALL = getattr(sys.modules.get("pluggy._callers"), "_multicall", None)
_HOOKEXEC = vars(PluginManager)["_hookexec"]


class _Observer(object):
    """Fills `changed` with the names of tests and of parts of the test runner that are not what they were."""

    def __init__(self):
        self.changed = set()
        self._collected = {}
        self._seen = {}
        self._watch = watch.Watch(WATCHED)
        self._texts = watch.Texts(rewrite_asserts)
        self._helpers = chain.code_of, watch.on_instance, watch.stand_ins, _plugins, watch.name_of

    def collection_finish(self, session, hidden):
        """Compare every test with the text of its file; `hidden` are the paths of the hidden tests."""
        code_of = self._helpers[0]
        modules = {}
        for item in session.items:
            code = code_of(getattr(item, "obj", None))
            self._collected[item.nodeid] = (item, type(item), code)
            module = getattr(item, "module", None)
            path = getattr(module, "__file__", None)
            # Decorators of libraries do this too: the gold patch's run says what is usual for a test.
            if code is None and getattr(item, "obj", None) is not None:
                self.changed.add(item.nodeid)  # an object that can be called in the place of a function
            if code is not None and path is not None and code.co_filename != path:
                self.changed.add(item.nodeid)
            if path in hidden:
                modules[path] = module
        for path, module in modules.items():
            self.changed.update(path + "::" + name for name in self._texts.differing(module, session.config))
            self.changed.update("cases of %s::%s" % (path, name) for name in self._texts.other_tables(module))
        self.look(session, None)

    def look(self, session, nodeid, often=True):
        """Look at one test and, unless that is not wanted as `often`, at what runs it; with no test at everything."""
        code_of, on_instance, stand_ins, plugins, _ = self._helpers
        item, kind, code = self._collected.get(nodeid, (None, None, None))
        if item is not None:
            same = type(item) is kind and (code is None or code_of(getattr(item, "obj", None)) is code)
            if not same or on_instance(item):
                self.changed.add(nodeid)
        if often:
            self.changed.update(self._watch.changed(everything=nodeid is None))
        if nodeid is None:
            manager = session.config.pluginmanager
            self.changed.update(plugins(manager, self._watch.holds))
            self.changed.update(stand_ins())
            for thing in (session, session.config, manager):
                self.changed.update("%s: %s" % (type(thing).__name__, name) for name in on_instance(thing))

    def ran(self, item, call, report):
        """Note one phase of a test where it was run: its outcome has to be that of the call."""
        if type(report) is not TestReport or (call.excinfo is not None and report.outcome == "passed"):
            self.changed.add(item.nodeid)
        self._seen[item.nodeid, call.when] = report.outcome
        self.look(item.session, item.nodeid, often=call.when == "call")

    def reported(self, report):
        """Note what reached the reporter: the same outcome as where the test ran, or one of a plugin, which ends no test."""
        if type(report) is not TestReport:
            self.changed.add("reports: " + self._helpers[-1](report))
        elif report.outcome in _ENDS and self._seen.get((report.nodeid, report.when), report.outcome) != report.outcome:
            self.changed.add(report.nodeid)


def _makereport(observer):
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        outcome = yield
        observer.ran(item, call, outcome.get_result())

    return pytest_runtest_makereport


def _go_on(config):
    """Let no test that fails be the last one: where one is broken on purpose, the others have to run."""
    for name in _STOPS:
        if hasattr(config.option, name):
            setattr(config.option, name, 0)


def _worker_hooks(place):
    """In a worker of pytest-xdist: nothing is signed here, what changed goes with the report of each test."""
    hidden = chain.hidden_files(place)
    chain.give_back_environment()
    observer = _Observer()

    def pytest_collection_finish(session):
        observer.collection_finish(session, hidden)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        outcome = yield
        report = outcome.get_result()
        observer.ran(item, call, report)
        if call.when == "teardown":
            observer.look(item.session, None)
        report.cooperbench_changed = sorted(observer.changed)

    return {
        "pytest_configure": _go_on,
        "pytest_collection_finish": pytest_collection_finish,
        "pytest_runtest_makereport": pytest_runtest_makereport,
    }


def _configuration_hooks(main, go_on=_go_on):
    """Find the run that is reported: a test may start others. Workers report to it."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(config):
        if not main:
            go_on(config)
        main.append(config)
        sys.modules.pop(__name__, None)  # pytest keeps what it needs; others need not find it

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(node):
        # A worker is started before it knows of any plugin, and with the variables that were given back.
        options = "-p " + __name__ + " " + os.environ.get("PYTEST_ADDOPTS", "")
        node.gateway.remote_exec("import os; os.environ['PYTEST_ADDOPTS'] = %r" % options).waitclose(30)

    return [pytest_configure, pytest_configure_node]


def _main_hooks(place):
    sign, changed_files, hidden = chain.claim(place), chain.changed_files, chain.hidden_files(place)
    chain.give_back_environment()
    main = []
    tests = {}
    errors = []
    observer = _Observer()

    def pytest_collection_finish(session):
        if session.config is main[0]:
            observer.changed.update(changed_files(place))
            observer.collection_finish(session, hidden)

    def pytest_collectreport(report):
        if report.failed:
            errors.append(report.nodeid)

    def pytest_runtest_logreport(report):
        _note(tests.setdefault(report.nodeid, {}), report)
        observer.changed.update(getattr(report, "cooperbench_changed", ()))
        observer.reported(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(session, exitstatus):
        if session.config is not main[0]:
            return
        observer.look(session, None)
        lines = ["pytest-guard"]
        lines += [_status(phases) + " " + name for name, phases in tests.items()]
        lines += ["error " + (name or "collection") for name in errors]
        sign(lines + ["changed " + name for name in sorted(observer.changed)])

    hooks = [*_configuration_hooks(main), _makereport(observer), pytest_collection_finish, pytest_collectreport]
    return {hook.__name__: hook for hook in [*hooks, pytest_runtest_logreport, pytest_sessionfinish]}


def _hooks():
    place = chain.folder()
    for name in ("cooperbench_chain", "cooperbench_watch"):
        sys.modules.pop(name, None)
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return _worker_hooks(place)
    asked = os.environ.get("PYTEST_ADDOPTS", "") + os.environ.get("PYTEST_PLUGINS", "")
    return _main_hooks(place) if __name__ in asked else {}


globals().update(_hooks())
del chain, watch
