"""The parts of the verifier in shell and awk, held against those of the evaluator in Python."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cooperbench.evaluation.rules import Rules
from cooperbench.evaluation.stable_names import not_passed
from cooperbench.evaluation.test_runners import first_state, read_signed
from cooperbench.evaluation.test_runners.signed import next_key, sign
from cooperbench.records import TestCase, TestStatus
from cooperbench.task_formats import ExportedSetting, export_harbor
from cooperbench.task_formats.harbor_tests import VERIFIER
from cooperbench.tasks import discover_groups, find_task

Results = dict[str, TestStatus]
NAMES = {
    "pytest-guard": [
        "t.py::test_a",
        "t.py::test_a[1]",
        "t.py::test_a[2 b]",
        "t.py::C::test_a",
        "t.py::test_b 1",
        "u.py::test_c",
    ],
    "unittest-guard": ["t.C.test_a", "t.C.test_b", "t.D.test_a"],
    "go-guard": ["m/p.TestA", "m/p.TestA/x", "m/p.TestA/y/z", "m/p:TestB/x", "TestB/y"],
    "jest-guard": ["a.ts:adds", "a.ts:adds 2", "b.ts:adds"],
    "cargo-guard": ["a::b", "a::c"],
}
STATUSES: st.SearchStrategy[TestStatus] = st.sampled_from(list(TestStatus))


@st.composite
def runs(draw: st.DrawFn) -> tuple[str, Results, Results]:
    source = draw(st.sampled_from(sorted(NAMES)))
    results = st.dictionaries(st.sampled_from(NAMES[source]), STATUSES, max_size=5)
    return source, draw(results), draw(results)


def lines(results: Results) -> str:
    return "".join(f"{status} {name}\n" for name, status in results.items())


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(run=runs())
def test_results_are_compared_as_in_an_evaluation(
    run: tuple[str, Results, Results], tmp_path_factory: pytest.TempPathFactory
) -> None:
    source, gold, work = run
    place = tmp_path_factory.mktemp("results")
    (place / "gold").write_text(lines(gold))
    (place / "work").write_text(lines(work))
    command = ["awk", "-v", f"gold={place / 'gold'}", "-v", f"source={source}", "-f", str(VERIFIER / "compare.awk")]
    said = subprocess.run(
        [*command, str(place / "gold"), str(place / "work")], capture_output=True, text=True, check=True
    )
    required = [name for name, status in gold.items() if status is TestStatus.PASSED]
    tests = [TestCase(name=name, status=status) for name, status in work.items()]
    expected = not_passed(tests, required, [name for name in gold if name not in required], source)
    assert sorted(said.stdout.splitlines()) == sorted(f"{name} {status}" for name, status in expected.items())


KEY = "f" * 64
BODIES = (
    b"pytest-guard\npassed t.py::test_a\nfailed t.py::test_b\n",
    b"pytest-guard\nfailed t.py::test_a\nchanged assert\n",
)


def report(*keys: str) -> bytes:
    parts = (
        f"{place} {sign(key, body)} {len(body)}\n".encode() + body
        for place, (key, body) in enumerate(zip(keys, BODIES, strict=False))
    )
    return b"".join(parts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "data"),
    [
        (first_state(KEY), b""),
        (f"1 {next_key(KEY)}\n".encode(), report(KEY)),
        (f"2 {next_key(next_key(KEY))}\n".encode(), report(KEY, next_key(KEY))),
        (f"2 {next_key(next_key(KEY))}\n".encode(), report(KEY)),
        (f"2 {next_key(next_key(KEY))}\n".encode(), report(KEY, KEY)),
        (f"2 {next_key(next_key(KEY))}\n".encode(), report(KEY) + report(KEY)),
        (f"1 {next_key(KEY)}\n".encode(), report(KEY).replace(b"failed", b"passed")),
        (f"1 {KEY}\n".encode(), report(KEY)),
        (f"9999999 {KEY}\n".encode(), report(KEY)),
        (b"x\n", report(KEY)),
        (f"1 {next_key(KEY)}\n".encode(), b"0 a b\n" + report(KEY)),
        (f"1 {next_key(KEY)}\n".encode(), report(KEY) + b"rubbish"),
    ],
)
def test_reports_are_read_as_in_an_evaluation(state: bytes, data: bytes, tmp_path: Path) -> None:
    reporter, suite = tmp_path / "reporter", tmp_path / "suite"
    reporter.mkdir()
    suite.mkdir()
    (reporter / "state").write_bytes(state)
    (reporter / "report").write_bytes(data)
    script = f'here={VERIFIER}; . {VERIFIER}/suite.sh; read_signed "$1" {KEY} "$2"'
    subprocess.run(["sh", "-c", script, "sh", str(reporter), str(suite)], check=True)
    expected = read_signed(state + data, KEY)
    assert (suite / "source").read_text().strip() == expected.source
    found = sorted((suite / "results").read_text().splitlines())
    cases = [f"{test.status} {test.name}" for test in expected.tests]
    assert found == sorted([*cases, *(f"changed {what}" for what in expected.changed)])


PATHS = (
    "src/a.py", "tests/a.txt", "src/tests/data.json", "test/x.js", "contest/a.py", "latest.py", "src/test.py", "conftest.py",
    "src/conftest.py", "pytest.ini", "tox.ini", "jest.config.js", "vite.config.ts", "src/app.test.tsx", "a.spec.js", "a_test.go",
    "pkg/a.go", "testdata/b", "tests/lib.rs", "src/tests/lib.rs", "src/lib.rs", "src/tests.rs", "src/test/java/A.java",
    "src/main/java/ATest.java", "app/BTest.java", "app/C.kt", "Makefile", "sitecustomize.py", "a.pth", "a.pyc", "pkg.egg-info/x",
    "X.DIST-INFO/METADATA", "setup.py", "src/setup.py", ".gitattributes", "a/.gitmodules", "node_modules/a/b.js", ".cargo/config",
    "src/__mocks__/a.js", "src/__tests__/a.js", "x/__snapshots__/a.snap", "go.work", "tsconfig.json", "tsconfig.test.json",
    "test_real.py", "src/check_test.py", "tests/test_data.py", "Testing.java", "docs/test.md",
)  # fmt: skip


@pytest.mark.slow
def test_files_are_left_out_as_in_an_evaluation(tmp_path: Path) -> None:
    task = find_task("shelfdb/1")
    export_harbor(discover_groups([task], features=(1, 3)), tmp_path / "out", setting=ExportedSetting.SOLO)
    here = tmp_path / "out" / "shelfdb-1-f1-f3" / "tests"
    content = "def test_it(): pass\n"
    script = f"""here={here}; . $here/tree.sh; own_git() {{ echo '{content.strip()}'; }}
    for path; do if left_out "$path" 100644 abc; then echo "$path"; fi; done"""
    said = subprocess.run(["sh", "-c", script, "sh", *PATHS], capture_output=True, text=True, check=True)
    rules = Rules(lambda _: True)
    expected = [path for path in PATHS if rules.reason(path, content.encode) is not None]
    assert said.stdout.splitlines() == expected
