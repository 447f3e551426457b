import json

import pytest

from cooperbench.evaluation import test_runners as runners
from cooperbench.evaluation.test_output import outputs_of
from cooperbench.evaluation.test_runners import NO_REPORT, RunnerKind, SuiteReport, runner_kind
from cooperbench.records import TestCase, TestStatus

PASSED, FAILED, SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.SKIPPED


def read_output(kind: RunnerKind, output: str) -> SuiteReport:
    return runners.read_output([runner for runner in runners.RUNNERS if runner.kind is kind], output)


def results(kind: RunnerKind, output: str) -> dict[str, TestStatus]:
    return {test.name: test.status for test in read_output(kind, output).tests}


@pytest.mark.parametrize(
    ("runner", "kind"),
    [
        (b"pip install -e .\npython -m pytest tests -v", RunnerKind.PYTEST),
        (b"go build ./...\ntimeout 300 go test -run X ./...", RunnerKind.GO),
        (b"cargo build\ncargo test --package x", RunnerKind.CARGO),
        (b"npm ci\nnpx jest a.test.ts", RunnerKind.JEST),
        (b"pnpm vitest run", RunnerKind.VITEST),
        (b"npm test", RunnerKind.JEST),
        (b"# was pytest\nmake check", RunnerKind.UNKNOWN),
    ],
)
def test_which_runner_is_called(runner: bytes, kind: RunnerKind) -> None:
    assert runner_kind(runner) is kind


def test_go_events() -> None:
    events = [
        {"Action": "run", "Package": "p", "Test": "TestA"},
        {"Action": "output", "Package": "p", "Test": "TestA", "Output": '{"Action":"pass","Test":"TestB"}\n'},
        {"Action": "pass", "Package": "p", "Test": "TestA"},
        {"Action": "fail", "Package": "p", "Test": "TestB"},
        {"Action": "fail", "Package": "p"},
    ]
    output = "# building\n" + "\n".join(json.dumps(event) for event in events)
    assert results(RunnerKind.GO, output) == {"p:TestA": PASSED, "p:TestB": FAILED}


def test_go_events_of_any_depth_are_read() -> None:
    """What is under test may have printed them."""
    assert runners.read_output(runners.runners_of(b"go test"), '{"Test":' * 50_000) is NO_REPORT


@pytest.mark.parametrize(
    "event",
    [r'{"Action": "pass", "Test": "\ud800"}', '{"Action": ["pass"], "Test": "TestA"}', '{"Action": {}, "Test": "A"}'],
)
def test_go_events_of_any_kind_can_be_recorded(event: str) -> None:
    for test in runners.read_output(runners.runners_of(b"go test"), event).tests:
        assert TestCase.model_validate_json(test.model_dump_json()) == test


def test_go_text_and_runs_without_tests() -> None:
    output = "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- FAIL: TestA/sub (0.01s)\n--- SKIP: TestB (0.00s)\nok  \tp\t0.1s\n"
    assert results(RunnerKind.GO, output) == {"TestA": PASSED, "TestA/sub": FAILED, "TestB": SKIPPED}
    assert read_output(RunnerKind.GO, "ok  \tp\t0.1s [no tests to run]\n? q [no test files]\nPASS\n") is NO_REPORT


def test_cargo_reads_every_binary_and_not_the_first_zero() -> None:
    output = """   Compiling x
     Running unittests src/lib.rs (target/debug/deps/x-0123456789abcdef)

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/a.rs (target/debug/deps/a-0123456789abcdef)

running 3 tests
test works ... ok
test panics - should panic ... ok
test breaks ... FAILED
test slow ... ignored

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""
    assert results(RunnerKind.CARGO, output) == {
        "a:tests/a.rs:works": PASSED,
        "a:tests/a.rs:panics": PASSED,
        "a:tests/a.rs:breaks": FAILED,
        "a:tests/a.rs:slow": SKIPPED,
    }
    assert read_output(RunnerKind.CARGO, "test fake ... ok\n") is NO_REPORT


def test_cargo_names_neither_lines_nor_mix_up_crates_of_a_workspace() -> None:
    summary = "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    output = f"""     Running unittests src/lib.rs (target/debug/deps/first-0123456789abcdef)
test tests::works ... ok
{summary}     Running unittests src/lib.rs (target/debug/deps/second-fedcba9876543210)
test tests::works ... FAILED
{summary}   Doc-tests first
test src/lib.rs - wrap (line 20) ... ok
test src/lib.rs - wrap (line 41) ... FAILED
test src/lib.rs - fill (line 60) - compile fail ... ok
{summary}"""
    assert results(RunnerKind.CARGO, output) == {
        "first:src/lib.rs:tests::works": PASSED,
        "second:src/lib.rs:tests::works": FAILED,
        "first:src/lib.rs - wrap": FAILED,
        "first:src/lib.rs - fill - compile fail": PASSED,
    }


def test_a_printed_line_does_not_better_a_result() -> None:
    output = "test a ... FAILED\ntest a ... ok\ntest result: ok. 1 passed; 0 failed;\n"
    assert results(RunnerKind.CARGO, output) == {":a": FAILED}


def test_jest_text() -> None:
    text = "PASS ./a.test.ts\n  sum\n    ✓ adds (3 ms)\n    ✕ breaks\n    ○ skipped later\n"
    assert results(RunnerKind.JEST, text)["./a.test.ts:adds"] is PASSED


def test_pytest_text() -> None:
    assert results(RunnerKind.PYTEST, "PASSED tests/a.py::test_z\n") == {"tests/a.py::test_z": PASSED}
    text = "tests/a.py::test_x[1-a b] PASSED [ 50%]\ntests/a.py::test_y FAILED [100%]\n== 1 failed, 1 passed ==\n"
    assert results(RunnerKind.PYTEST, text) == {"tests/a.py::test_x[1-a b]": PASSED, "tests/a.py::test_y": FAILED}
    assert read_output(RunnerKind.PYTEST, "99 passed in 0.1s") is NO_REPORT


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["::", "a::", "\n", "=== ", "___ ", " ● ", "test a ... ", "\x1b[1;"])
def test_output_of_any_length_is_read_at_once(piece: str) -> None:
    """Code under test prints it, and it is read on the host, where no limit ends that."""
    output = piece * (500_000 // len(piece))
    assert all(read_output(kind, output) is NO_REPORT for kind in RunnerKind)
    assert outputs_of(["test_a"], output) == {}


def test_documentation_tests_of_rust_are_beside_what_is_signed() -> None:
    signed = SuiteReport("cargo-guard", (TestCase(name="basket:discount:tenth", status=FAILED),))
    output = "test tenth ... ok\n   Doc-tests basket:discount\n\nrunning 1 test\ntest tenth ... ok\n\ntest result: ok. 1 passed; 0 failed;\n"
    report = runners.complete(signed, runners.RUNNERS, output)
    assert {test.name: test.status for test in report.tests} == {
        "basket:discount:tenth": FAILED,
        "Doc-tests basket:discount:tenth": PASSED,
    }
    other = SuiteReport("go-guard", signed.tests)
    assert runners.complete(other, runners.RUNNERS, output) == other
