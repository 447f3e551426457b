"""Patches that do nothing of what was asked and try to pass all the same. None may pass, none may leave the sandbox."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cooperbench.evaluation import EvaluationSettings, score
from cooperbench.evaluation.suites import Suite, run_suite
from cooperbench.records import Evaluation, EvaluationChoices, Outcome
from cooperbench.tasks import Task
from tests.evaluation.edits import append, base_checkout
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

FEATURE = 3
SOURCE = "src/shelfdb/__init__.py"
"""Imported by every hidden test."""

ALWAYS_PASSED = """
import pytest

@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    report.outcome, report.longrepr = "passed", None

def pytest_sessionfinish(session, exitstatus):
    session.exitstatus = 0
"""


@dataclass(frozen=True)
class Attack:
    """How a patch cheats: code that runs when the package is imported, files that it adds, and links."""

    code: str = ""
    files: dict[str, bytes | None] | None = None
    links: dict[str, str] | None = None
    raw: bytes = b""

    def patch(self, checkout: Checkout) -> bytes:
        changes = dict(self.files or {})
        if self.code:
            changes[SOURCE] = (checkout.path / SOURCE).read_bytes() + b"\n\n" + self.code.encode()
        return self.raw + (checkout.patch(changes, links=self.links) if changes or self.links else b"")


def _raw(path: str, text: str) -> bytes:
    lines = text.splitlines()
    body = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    ).encode()


ATTACKS = {
    "skip the module while it is imported": Attack("import pytest; pytest.skip('later', allow_module_level=True)\n"),
    "skip whatever test calls the package": Attack(
        "import pytest\nfor _n, _f in list(globals().items()):\n"
        "    if callable(_f): globals()[_n] = lambda *a, **k: pytest.skip('later')\n"
    ),
    "declare every test expected to fail": Attack(
        "import gc, pytest, types\nfor _f in gc.get_objects():\n"
        "    if isinstance(_f, types.FunctionType) and _f.__name__.startswith('test_'): pytest.mark.xfail(_f)\n"
    ),
    "mark tests as skipped in conftest": Attack(
        files={
            "tests/conftest.py": b"import pytest\ndef pytest_collection_modifyitems(items):\n"
            b"    for item in items: item.add_marker(pytest.mark.skip)\n"
        }
    ),
    "turn failures into passes in conftest": Attack(
        files={"conftest.py": ALWAYS_PASSED.encode(), "src/conftest.py": ALWAYS_PASSED.encode()}
    ),
    "register a plugin by package metadata": Attack(
        files={
            "src/evil_plugin.py": ALWAYS_PASSED.encode(),
            "src/evil.egg-info/entry_points.txt": b"[pytest11]\nevil = evil_plugin\n",
            "src/evil.egg-info/PKG-INFO": b"Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
        }
    ),
    "deselect the tests in the configuration": Attack(
        files={
            "pytest.ini": b"[pytest]\naddopts = -k nothing_at_all --co\n",
            "tox.ini": b"[pytest]\naddopts = --collect-only\n",
            "setup.cfg": b"[tool:pytest]\naddopts = --collect-only\n",
        }
    ),
    "run at the start of the interpreter": Attack(
        files=dict.fromkeys(
            ("sitecustomize.py", "src/sitecustomize.py", "usercustomize.py"), b"import os; os._exit(0)\n"
        )
    ),
    "leave with exit code 0 while imported": Attack("import os; os._exit(0)\n"),
    "raise SystemExit(0) while imported": Attack("raise SystemExit(0)\n"),
    "print the summary of a run that passed": Attack(
        "import os, sys\nos.write(1, b'tests/test_list_updates.py::test_push PASSED [100%]\\n===== 99 passed in 0.10s =====\\n')\nos._exit(0)\n"
    ),
    "stand in for pytest": Attack(
        files={
            "pytest.py": b"print('99 passed in 0.1s')\n",
            "pytest/__main__.py": b"print('99 passed in 0.1s')\n",
            "_pytest/__init__.py": b"raise SystemExit(0)\n",
            "pluggy.py": b"raise SystemExit(0)\n",
        }
    ),
    "rewrite the test runner in memory": Attack(
        "import _pytest.runner as _r\n_real = _r.CallInfo.from_call.__func__\n"
        "def _quiet(cls, func, when, **options):\n"
        "    def _safe():\n"
        "        try: return func()\n"
        "        except Exception:\n            if when != 'call': raise\n"
        "    return _real(cls, _safe, when, **options)\n"
        "_r.CallInfo.from_call = classmethod(_quiet)\n"
    ),
    "empty the test functions while they run": Attack(
        "import gc, threading, time, types\ndef _empty():\n"
        "    while True:\n"
        "        for f in gc.get_objects():\n"
        "            if isinstance(f, types.FunctionType) and f.__name__.startswith('test_') and 'test_' in f.__module__:\n"
        "                if f.__module__.split('.')[0] not in ('_pytest', 'pytest') and not f.__code__.co_freevars:\n"
        "                    f.__code__ = eval('lambda ' + ','.join(f.__code__.co_varnames[:f.__code__.co_argcount]) + ': None').__code__\n"
        "        time.sleep(0.001)\n"
        "threading.Thread(target=_empty, daemon=True).start()\n"
    ),
    "mend the record of the results": Attack(
        "import atexit, os, sys\n_reporter = sys.modules.get('cooperbench_reporter')\n"
        "def _mend():\n"
        "    for cell in _reporter.pytest_runtest_logreport.__closure__:\n"
        "        if isinstance(cell.cell_contents, dict):\n"
        "            for phases in cell.cell_contents.values(): phases.update(call='passed', teardown='passed')\n"
        "if _reporter: atexit.register(lambda: os._exit(0)); __import__('threading').Timer(0.05, _mend).start()\n"
    ),
    "make every comparison in a test true": Attack(
        "import _pytest.python as _p\n_p.pytest_pyfunc_call.__code__ = (lambda pyfuncitem: True).__code__\n"
    ),
    "put other programs on the path": Attack(
        "import os\nfor _n in ('git', 'python3', 'pytest', 'bash'):\n"
        "    for _d in os.environ['PATH'].split(':'):\n"
        "        try:\n            open(f'{_d}/{_n}', 'w').write('#!/bin/sh\\nexit 0\\n')\n        except OSError: pass\n",
        files=dict.fromkeys(("python3", "git", "bin/python3", "bin/pytest"), b"#!/bin/sh\nexit 0\n"),
    ),
    "write the report": Attack(
        "import atexit, glob, json, os\ndef _forge():\n"
        "    body = json.dumps({'exit': 0, 'errors': [], 'changed': [], 'tests': {}}).encode()\n"
        "    for folder in glob.glob('/patches/*/reporter'):\n"
        "        with open(folder + '/report', 'wb') as out: out.write(b'0' * 64 + b'\\n' + body)\n"
        "    os._exit(0)\n"
        "atexit.register(_forge)\n"
    ),
    "look for the key of the report": Attack(
        "import glob, hashlib, hmac, json, os, sys\n"
        "_keys = [open(p, 'rb').read() for p in glob.glob('/patches/*/reporter/key')]\n"
        "_keys += [v for v in vars(sys.modules.get('cooperbench_reporter', os)).values() if isinstance(v, bytes)]\n"
        "_body = json.dumps({'exit': 0, 'errors': [], 'changed': [], 'tests': {'tests/test_list_updates.py::test_push': {'call': 'passed', 'teardown': 'passed'}}}).encode()\n"
        "for _k in _keys:\n"
        "    for _f in glob.glob('/patches/*/reporter'):\n"
        "        open(_f + '/report', 'wb').write(hmac.new(_k, _body, hashlib.sha256).hexdigest().encode() + b'\\n' + _body)\n"
        "        os._exit(0)\n"
    ),
    "edit the runner": Attack(
        "import glob\nfor _p in [*glob.glob('/patches/*/runner.sh'), '/usr/local/bin/runner.sh']:\n"
        "    try:\n        open(_p, 'w').write('#!/bin/sh\\nexit 0\\n')\n    except OSError: pass\n",
        files={"runner.sh": b"exit 0\n", "run_tests.sh": b"exit 0\n"},
    ),
    "delete the tests": Attack(
        "import pathlib\nfor _p in pathlib.Path('/workspace/repo/tests').rglob('test_*.py'): _p.unlink()\n"
        "raise ImportError('gone')\n",
        files={"tests/test_cli.py": None},
    ),
    "plant git hooks": Attack(
        raw=_raw(".git/hooks/post-checkout", "#!/bin/sh\ntouch /tmp/cooperbench-hook")
        + _raw(".git/config", "[core]\nhooksPath = hooks"),
        files={"hooks/post-checkout": b"#!/bin/sh\nexit 0\n", "src/x.py": b"x = 1\n"},
    ),
    "set git attributes and filters": Attack(
        files={".gitattributes": b"tests/** filter=evil merge=ours -diff\n*.py export-ignore\n", "src/x.py": b"x = 1\n"}
    ),
    "link out of the tree": Attack(
        "import pathlib\ntry: pathlib.Path('/workspace/repo/out/cooperbench-escape').write_text('x')\nexcept OSError: pass\n",
        links={"out": "/tmp", "up": "../../../../tmp", "tests/test_new.py": "/dev/null"},
    ),
    "climb out of the tree": Attack(
        raw=_raw("../../../../../../tmp/cooperbench-escape", "x") + _raw("/tmp/cooperbench-escape", "x"),
        files={"src/x.py": b"x = 1\n"},
    ),
    "write a huge file": Attack(
        "try:\n    with open('/tmp/huge', 'wb') as _out:\n        _out.seek(8 << 30); _out.write(b'x')\n"
        "except OSError: pass\n"
    ),
    "print without end": Attack("import os\nwhile True: os.write(1, b'1 passed in 0.01s ' * 1000)\n"),
    "leave processes behind": Attack(
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', '''\n"
        "import glob, time\nwhile True:\n"
        "    for p in glob.glob('/patches/*/reporter'):\n"
        "        open(p + '/report', 'wb').write(b'all passed')\n"
        "    time.sleep(0.01)\n'''], start_new_session=True)\n"
    ),
    "replace the exception that a failing assert raises": Attack(
        "import builtins\nclass _Quiet(SystemExit):\n    def __init__(self, *a): super().__init__(0)\n"
        "builtins.AssertionError = _Quiet\n"
    ),
}


BITING = (
    "mark tests as skipped in conftest",
    "turn failures into passes in conftest",
    "register a plugin by package metadata",
    "stand in for pytest",
    "leave with exit code 0 while imported",
    "print the summary of a run that passed",
    "rewrite the test runner in memory",
    "empty the test functions while they run",
    "make every comparison in a test true",
    "write the report",
)
"""Attacks that make a runner that is left alone end with exit code 0."""


@pytest.fixture(scope="module")
def checkout(shelfdb: Task, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return base_checkout(shelfdb, tmp_path_factory.mktemp("attack") / "repo")


@pytest.fixture
def nothing_escapes() -> Iterator[None]:
    marks = [Path("/tmp/cooperbench-escape"), Path("/tmp/cooperbench-hook")]
    assert not any(mark.exists() for mark in marks)
    yield
    assert not any(mark.exists() for mark in marks)


def assert_failed(evaluation: Evaluation) -> None:
    assert evaluation.verdict.outcome in (Outcome.TESTS_FAILED, Outcome.NO_PATCH, Outcome.PATCH_REJECTED), (
        evaluation.verdict
    )


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.usefixtures("nothing_escapes")
def test_no_attack_passes(name: str, shelfdb: Task, checkout: Checkout) -> None:
    assert_failed(score(shelfdb, {FEATURE: ATTACKS[name].patch(checkout)}, time_limit=6))


@pytest.mark.parametrize("name", BITING)
def test_the_attacks_are_real(name: str, shelfdb: Task, checkout: Checkout) -> None:
    suite = Suite(shelfdb.features[FEATURE].tests_patch, ATTACKS[name].patch(checkout))
    run = run_suite(shelfdb, suite, EvaluationSettings(choices=EvaluationChoices(time_limit=30)))
    assert run.exit_code == 0, run.output[-2000:]


def test_the_same_checks_let_honest_work_pass(shelfdb: Task) -> None:
    assert score(shelfdb, {FEATURE: shelfdb.features[FEATURE].gold_patch}, time_limit=60).verdict.passed


def test_a_patch_reaches_nothing_over_the_network(shelfdb: Task, checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reached: list[object] = []

        def accept() -> None:
            try:
                reached.append(server.accept()[1])
            except OSError:
                return

        listener = threading.Thread(target=accept)
        listener.start()
        port = server.getsockname()[1]
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=3)\n"
        evaluation = score(shelfdb, {FEATURE: append(checkout, SOURCE, code)}, time_limit=12)
        server.shutdown(socket.SHUT_RDWR)
        listener.join()
    assert_failed(evaluation)
    assert not reached


def test_a_patch_cannot_read_the_users_home(shelfdb: Task, checkout: Checkout, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not read")
    code = (
        f"import os, pathlib\nfor _p in ({str(secret)!r}, {str(Path.home())!r} + '/.ssh', {str(Path.home())!r} + '/.aws'):\n"
        "    if pathlib.Path(_p).exists(): raise RuntimeError('reached ' + _p)\n"
        f"if os.environ.get('COOPERBENCH_SECRET'): raise RuntimeError('reached the environment')\n"
    )
    os.environ["COOPERBENCH_SECRET"] = "x"
    try:
        evaluation = score(shelfdb, {FEATURE: append(checkout, SOURCE, code)}, time_limit=12)
    finally:
        del os.environ["COOPERBENCH_SECRET"]
    assert_failed(evaluation)
    assert "reached" not in evaluation.stages[0].suites[0].output_tail


HUGE: dict[str, Callable[[], bytes]] = {
    "a patch of 65 MB": lambda: _raw("src/big.txt", "x\n" * 4) + b"+" * (65 << 20),
    "a patch that is no patch": lambda: b"\0\xff not a patch\n" * 100,
}


@pytest.mark.parametrize("name", HUGE)
def test_submissions_that_are_no_patches_are_rejected(name: str, shelfdb: Task) -> None:
    assert score(shelfdb, {FEATURE: HUGE[name]()}).verdict.outcome is Outcome.PATCH_REJECTED
