"""`--falsify on|warn|off` as a user types it, and where forced results show: the record, `runs show`, `report`, `compare`."""

import hashlib
from pathlib import Path

import pytest

from cooperbench.records import Evaluation, Falsification, FalsificationStatus, Outcome, read_model
from cooperbench.tasks import Task
from tests.command_line import Said, cooperbench
from tests.evaluation.attacks import python_lies
from tests.evaluation.edits import base_checkout

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow, pytest.mark.xdist_group("falsify-command")]

EPISODE = "shelfdb_task/1/f2_f3"


@pytest.fixture(scope="module")
def logs(shelfdb: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which feature 3 was not done: its results are equal to everything."""
    folder = tmp_path_factory.mktemp("logs")
    said = cooperbench(
        *("run", "-n", "pair", "-s", "demo", "-a", "gold", "-r", "shelfdb", "-f", "2,3", "--no-auto-eval"),
        *("--falsify", "off", "--log-dir", str(folder)),
    )
    assert said.code == 0, said.err
    (patch,) = folder.rglob("agent3.patch")
    lie = python_lies.ATTACKS["everything is equal"].patch(base_checkout(shelfdb, folder.parent / "base"))
    captured, forged = (hashlib.sha256(content).hexdigest() for content in (patch.read_bytes(), lie))
    patch.write_bytes(lie)
    result = patch.with_name("result.json")
    result.write_text(result.read_text().replace(captured, forged))
    return folder


def evaluate(logs: Path, *arguments: str) -> Said:
    return cooperbench("eval", "-n", "pair", "--log-dir", str(logs), "--singles", "none", *arguments)


def read(logs: Path) -> Evaluation:
    (path,) = logs.rglob("eval.json")
    return read_model(path, Evaluation)


def proof(evaluation: Evaluation) -> Falsification | None:
    return evaluation.stages[0].suites[1].falsification


def test_it_decides_unless_it_only_warns_or_is_left_out(logs: Path) -> None:
    said = evaluate(logs, "--falsify", "warn")
    assert "1/1 passed" in said.out
    assert "1 pass contradicted by broken tests (--falsify warn)" in said.out
    warned = read(logs)
    assert warned.verdict.passed

    said = evaluate(logs, "--falsify", "on")
    assert "0/1 passed" in said.out
    assert "1 episode forced: tests passed that nobody can pass" in said.out
    judged = read(logs)
    assert {policy: verdict.outcome for policy, verdict in judged.verdicts.items()} == dict.fromkeys(
        ("naive@1", "union@1", "cascade@1"), Outcome.FORCED
    )
    assert [feature.outcome for feature in judged.verdict.features] == [Outcome.PASSED, Outcome.FORCED]
    found, before = proof(judged), proof(warned)
    assert found is not None
    assert before is not None
    assert before.status is FalsificationStatus.FORCED
    assert (found.status, found.seed, found.mismatch) == (FalsificationStatus.FORCED, before.seed, before.mismatch)
    _forced_results_are_shown(logs, found)

    assert evaluate(logs).code == 0  # the run's own choice: off
    assert proof(read(logs)) is None
    assert read(logs).verdict.passed


def _forced_results_are_shown(logs: Path, found: Falsification) -> None:
    mismatch = found.mismatch
    assert mismatch is not None
    assert mismatch.edit is not None
    folder = ("--log-dir", str(logs))
    shown = cooperbench("runs", "show", "pair", EPISODE, *folder).out
    for text in (mismatch.test, f"had: {mismatch.edit.before}", f"got: {mismatch.edit.after}"):
        assert text in shown
    assert "gold patch: failed; this work: passed" in shown
    rows = [line.split(",") for line in cooperbench("report", "pair", "--format", "csv", *folder).out.splitlines()]
    at = next(number for number, row in enumerate(rows) if "forced" in row)
    assert dict(zip(rows[at], rows[at + 1], strict=True))["forced"] == "1"


def test_another_word_is_refused(logs: Path) -> None:
    said = evaluate(logs, "--falsify", "maybe")
    assert said.code == 2
    assert all(word in said.err for word in ("on", "warn", "off", "--falsify")), said.err
