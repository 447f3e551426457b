"""The reporters for Python in a folder of their own, with the project's interpreter: workers of pytest-xdist, several runs, runs in runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench.evaluation.suites import REPORTER
from cooperbench.evaluation.test_runners import SuiteReport, first_state, read_signed
from cooperbench.evaluation.test_runners.python import Pytest
from cooperbench.records import TestStatus

KEY = "c" * 64
TESTS = (
    "import work\n\n\ndef test_one():\n    assert work.one() == 1\n\n\ndef test_two():\n    assert work.one() == 2\n"
)
FAILING_FIRST = (
    "import work\n\n\ndef test_two():\n    assert work.one() == 2\n\n\ndef test_one():\n    assert work.one() == 1\n"
)
HONEST = "def one():\n    return 1\n"
PATCHED = HONEST + "import _pytest.python as p\np.pytest_pyfunc_call.__code__ = (lambda pyfuncitem: True).__code__\n"
EMPTIED = (
    HONEST
    + "import gc, types\nfor f in gc.get_objects():\n"
    + "    if isinstance(f, types.FunctionType) and f.__name__ == 'test_two': f.__code__ = (lambda: None).__code__\n"
)


class Project:
    """A folder with tests and the evaluator's files."""

    def __init__(self, folder: Path) -> None:
        self.reporter = folder / "reporter"
        self.repository = folder / "repository"
        shutil.copytree(REPORTER, self.reporter, ignore=shutil.ignore_patterns("__pycache__"))
        (self.reporter / "state").write_bytes(first_state(KEY))
        (self.reporter / "files").write_bytes(b"")
        self.repository.mkdir()
        self.write("test_work.py", TESTS)

    def write(self, name: str, text: str) -> None:
        (self.repository / name).write_text(text)

    def run(self, *arguments: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.reporter / "python"),
            "PYTEST_ADDOPTS": "-p cooperbench_reporter",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # some of those that are installed here patch pytest
        }
        environment.pop("PYTEST_XDIST_WORKER", None)
        if arguments[0] == "pytest":
            # It adds to pytest's classes, as the gold patch's run shows.
            arguments = (*arguments, "-p", "no:legacypath")
        command = [sys.executable, "-m", *arguments]
        subprocess.run(command, cwd=self.repository, env=environment, capture_output=True, timeout=120, check=False)

    def report(self) -> SuiteReport:
        return read_signed((self.reporter / "state").read_bytes() + (self.reporter / "report").read_bytes(), KEY)

    def changed(self) -> set[str]:
        """Without what pytest itself replaces when it starts, and the plugin that makes workers."""
        usual = ("_pytest.config.Config._getini_unknown_type", "plugin xdist", "plugin __channelexec__")
        return {name for name in self.report().changed if not name.startswith(usual)}

    def results(self) -> dict[str, TestStatus]:
        return {test.name: test.status for test in self.report().tests}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


EXPECTED = {"test_work.py::test_one": TestStatus.PASSED, "test_work.py::test_two": TestStatus.FAILED}


alone_and_with_workers = pytest.mark.parametrize(
    "workers",
    [pytest.param((), id="alone"), pytest.param(("-p", "xdist", "-n", "2"), id="workers", marks=pytest.mark.slow)],
)


@alone_and_with_workers
def test_results(project: Project, workers: tuple[str, ...]) -> None:
    """A test that fails is not the last one: in a broken version, `-x` would try one test, and with workers another one each time."""
    project.write("work.py", HONEST)
    project.write("test_work.py", FAILING_FIRST)
    project.run("pytest", "-q", "--maxfail=1", *workers)
    assert project.results() == EXPECTED
    assert project.changed() == set()


@alone_and_with_workers
@pytest.mark.parametrize(
    ("code", "changed"),
    [(PATCHED, "_pytest.python.pytest_pyfunc_call"), (EMPTIED, "test_two")],
    ids=["the runner is patched", "a test is emptied"],
)
def test_what_was_replaced_is_noted(project: Project, workers: tuple[str, ...], code: str, changed: str) -> None:
    # Imported after the tests are defined.
    project.write("test_work.py", TESTS.replace("import work\n", "") + "\n\nimport work\n")
    project.write("work.py", code)
    project.run("pytest", "-q", *workers)
    assert any(changed in name for name in project.report().changed), project.report()


@pytest.mark.slow
def test_two_runs_are_both_reported(project: Project) -> None:
    project.write("work.py", HONEST)
    project.run("pytest", "-q", "-k", "one")
    project.run("pytest", "-q", "-k", "two")
    assert project.results() == EXPECTED


@pytest.mark.slow
def test_runs_that_a_test_starts_are_its_own_business(project: Project) -> None:
    inner = (
        "import subprocess, sys\nimport pytest\n\n\ndef test_inner(tmp_path):\n    (tmp_path / 'test_x.py').write_text('def test_x(): pass\\n')\n"
        "    assert subprocess.run([sys.executable, '-m', 'pytest', str(tmp_path)]).returncode == 0\n"
        "    assert pytest.main([str(tmp_path)]) == 0\n"
    )
    project.write("test_work.py", inner)
    project.run("pytest", "-q", "-p", "no:cacheprovider")
    assert project.results() == {"test_work.py::test_inner": TestStatus.PASSED}
    assert project.changed() == set()


def test_hidden_tests_that_hold_something_else_are_noted(project: Project) -> None:
    project.write("work.py", HONEST)
    path = project.repository / "test_work.py"
    (project.reporter / "files").write_text(f"{'0' * 64}  {path}\n")
    project.run("pytest", "-q")
    assert str(path) in project.report().changed


def test_one_that_leaves_early_has_no_report(project: Project) -> None:
    project.write("work.py", "import os; os._exit(0)\n")
    project.run("pytest", "-q")
    assert not (project.reporter / "report").exists()


UNITTESTS = (
    "import unittest\n\nimport work\n\n\nclass T(unittest.TestCase):\n    def test_one(self):\n        self.assertEqual(work.one(), 1)\n\n"
    "    def test_two(self):\n        with self.subTest('x'):\n            self.assertEqual(work.one(), 2)\n\n"
    "    def test_zero(self):\n        self.skipTest('later')\n"
)


def test_unittest(project: Project) -> None:
    project.write("work.py", HONEST)
    project.write("test_work.py", UNITTESTS)
    project.run("unittest", "-q", "--failfast")
    report = project.report()
    assert report.source == "unittest-guard"
    assert project.results() == {
        "test_work.T.test_one": TestStatus.PASSED,
        "test_work.T.test_two": TestStatus.FAILED,
        "test_work.T.test_zero": TestStatus.SKIPPED,
    }
    assert project.changed() == set()


def test_unittest_whose_assertions_were_replaced(project: Project) -> None:
    project.write("work.py", HONEST + "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n")
    project.write("test_work.py", UNITTESTS)
    project.run("unittest", "-q")
    assert any("assertEqual" in name for name in project.report().changed), project.report()


SUBTESTS = """\
import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        for outcome in {outcomes}:
            part = type(report)(item.nodeid, item.location, {{}}, outcome, None, "call")
            item.ihook.pytest_runtest_logreport(report=part)
    return report
"""


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["passed", "failed", "passed"], TestStatus.FAILED),
        (["passed", "skipped"], TestStatus.SKIPPED),
        (["passed", "passed"], TestStatus.PASSED),
    ],
)
def test_the_worst_of_a_phase_counts(project: Project, outcomes: list[str], status: TestStatus) -> None:
    """As pytest-subtests reports each part of a test before the test, which passes."""
    project.write("conftest.py", SUBTESTS.format(outcomes=outcomes))
    project.write("work.py", HONEST)
    project.run("pytest", "-q", "test_work.py::test_one")
    assert project.results() == {"test_work.py::test_one": status}


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("unittest.TestCase.assertEqual = functools.partial(lambda *a: None)", "unittest.case.TestCase.assertEqual"),
        ("unittest.case._Outcome = type('O', (unittest.case._Outcome,), {})", "unittest.case._Outcome"),
        ("del unittest.TestCase._callTestMethod", "unittest.case.TestCase._callTestMethod"),
        ("unittest.TestResult.wasSuccessful2 = lambda self: True", "unittest.result.TestResult.wasSuccessful2"),
        ("sys.meta_path.insert(0, Finder())", "sys.meta_path: work.Finder"),
        ("sys.setprofile(lambda *a: None)", "a tracer"),
        ("builtins.exec = lambda *a: None", "builtins.exec"),
    ],
)
def test_what_became_of_unittest(project: Project, code: str, changed: str) -> None:
    finder = "class Finder:\n    @staticmethod\n    def find_spec(*a): return None\n"
    project.write("work.py", f"{HONEST}import builtins, functools, sys, unittest\n{finder}{code}\n")
    project.write("test_work.py", UNITTESTS)
    project.run("unittest", "-q")
    assert any(changed in name for name in project.report().changed), project.report()


STRANGE = """\
import sys
from unittest import mock


class Standing:
    def __getattr__(self, name):
        raise RuntimeError("outside of a context")


class Meta(type):
    @property
    def __module__(cls):
        raise RuntimeError("nowhere")


class Placeless(metaclass=Meta):
    pass


standing, mocked, call = Standing(), mock.MagicMock(), mock.call
sys.modules["standing"] = standing
"""


@pytest.mark.parametrize("runner", ["pytest", "unittest"])
def test_objects_that_answer_with_errors_are_not_the_reporters_business(project: Project, runner: str) -> None:
    """As those of Flask that stand for the current request."""
    project.write("work.py", HONEST + STRANGE)
    names = "import work\nfrom work import Placeless, call, mocked, standing\n"
    project.write(
        "test_work.py", UNITTESTS.replace("import work\n", names).replace("with self.subTest('x')", "if True")
    )
    project.run(runner, "-q")
    assert sorted(project.results().values()) == [TestStatus.FAILED, TestStatus.PASSED, TestStatus.SKIPPED]
    assert project.changed() == set()


RERUN = """\
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol

    for outcome in ("{outcome}", None):
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if report.when == "call" and outcome:
                report.outcome = outcome
            item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


@pytest.mark.parametrize("outcome", ["rerun", "retried"])
def test_a_test_that_runs_again_is_not_changed(project: Project, outcome: str) -> None:
    """As pytest-rerunfailures and pytest-retry report one that failed first."""
    project.write("conftest.py", RERUN.format(outcome=outcome))
    project.write("work.py", "calls = []\n\n\ndef one():\n    calls.append(1)\n    return len(calls) - 1\n")
    project.run("pytest", "-q", "test_work.py::test_one")
    assert project.results() == {"test_work.py::test_one": TestStatus.PASSED}
    assert project.changed() == {"plugin conftest"}


def test_what_tests_start_sees_the_variables_of_the_image(tmp_path: Path) -> None:
    names = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONPATH")
    code = (
        f"import cooperbench_chain, os; cooperbench_chain.give_back_environment(); print(*map(os.environ.get, {names}))"
    )
    for before in (dict.fromkeys(names, "own"), {}):
        done = subprocess.run(
            ["sh", "-ec", "\n".join([f"reporter={REPORTER}", *Pytest.reporter, f'"{sys.executable}" -c "{code}"'])],
            env={"PATH": os.environ["PATH"], **before},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [before.get(name, "None") for name in names]


def test_a_module_that_stands_in_for_another(project: Project) -> None:
    project.write("work.py", f"import colorsys\n{HONEST}")
    project.write("colorsys.py", "")
    project.run("pytest", "-q")
    assert "a module that stands in for the image's: colorsys" in project.report().changed


TABLES = """import pytest
from pytest import mark, param
import work

NAMED = [1, 2]

@pytest.mark.parametrize("x", [1, (2, 3), [4], {"a": {5}}, None, 1.5, b"b", float("nan")])
@pytest.mark.parametrize("y,z", ((1, "a"), pytest.param(2, [work.one()], id="own"), param(3, 4)))
def test_stacked(x, y, z): ...

@mark.parametrize(argnames=("x", "y"), argvalues=[("a", 1), ["b", 2]], ids=["a", "b"])
async def test_keywords(x, y): ...

@pytest.mark.parametrize("x", NAMED)
@pytest.mark.parametrize("y", [*NAMED, 3])
def test_named(x, y): ...

@pytest.mark.parametrize("x", [1, 2])
class TestClass:
    @pytest.mark.parametrize("y", ["a", "b"])
    def test_method(self, x, y): ...

    @staticmethod
    def test_static(x): ...

    class TestInner:
        def test_deep(self, x): ...

def test_plain(): ...
"""
PLANTED = """
import sys
class _Marks(list):
    def __init__(self, names): self.names = names
    def __iter__(self):
        names = self.names
        %s
        return super().__iter__()
frame = sys._getframe(1)
while not frame.f_globals['__name__'].startswith('test_'): frame = frame.f_back
frame.f_globals['pytestmark'] = _Marks(frame.f_globals)
"""


def test_tables_of_cases_are_those_of_the_file(project: Project) -> None:
    project.write("test_work.py", TABLES)
    (project.reporter / "files").write_text(f"{'0' * 64}  {project.repository / 'test_work.py'}\n")
    project.write("work.py", HONEST)
    project.run("pytest")
    assert len(project.report().tests) > 30
    assert not [name for name in project.report().changed if name.startswith("cases of")]


@pytest.mark.parametrize(
    ("code", "function"),
    [
        ("names['test_stacked'].pytestmark[1].args[1][0] = True", "test_stacked"),
        ("names['test_stacked'].pytestmark[1].args[1][2][0] = 5", "test_stacked"),
        ("names['test_stacked'].pytestmark[1].args[1].pop()", "test_stacked"),
        ("names['test_keywords'].pytestmark[0].kwargs['argvalues'][1][1] = 1", "test_keywords"),
        ("names['TestClass'].pytestmark[0].args[1][1] = 1", "TestClass"),
        (
            "names['TestClass'].test_method.pytestmark[0].args[1][1] = type('A', (str,), {})('b')",
            "TestClass::test_method",
        ),
        ("names['test_named'].pytestmark.pop()", "test_named"),
    ],
)
def test_tables_that_hold_something_else_are_noted(project: Project, code: str, function: str) -> None:
    project.write("test_work.py", TABLES)
    (project.reporter / "files").write_text(f"{'0' * 64}  {project.repository / 'test_work.py'}\n")
    project.write("work.py", HONEST + PLANTED % code)
    project.run("pytest")
    noted = [name for name in project.report().changed if name.startswith("cases of")]
    assert noted == [f"cases of {project.repository / 'test_work.py'}::{function}"]
