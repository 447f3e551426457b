"""A run as a job array of a real Slurm cluster with two nodes, one of which is lost on the way."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.errors import UsageError
from cooperbench.records import RunDirectory
from cooperbench.records.claims import newest_claim
from cooperbench.runner import EvaluationOptions, read_run, run
from cooperbench.runner.slurm import submit
from cooperbench.testing.conformance.commands import until
from tests.command_line import cooperbench as command
from tests.runner.parts import write_parts
from tests.runner.two_nodes import Cluster, two_nodes

WORK = ("run", "-s", "demo", "-r", "shelfdb", "--limit", "8", "--seed", "1", "-a", "gold", "-n", "array")
PAIRS = [(1, 2), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5), (3, 6), (4, 6)]
"""Some that pass, some that fail and one that conflicts."""


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with two_nodes(tmp_path_factory.mktemp("slurm"), monkeypatch) as running:
        yield running


@pytest.mark.needs("sandbox", "slurm")
@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.timeout(540)
def test_an_array_survives_cancelled_requeued_and_lost_tasks(surroundings: Path, cluster: Cluster) -> None:
    data = surroundings.parent / "data"
    write_parts(data, 6, pairs=PAIRS)
    alone = run(
        "alone",
        "plays_its_part",
        "none",
        dataset_dir=data,
        subset="chosen",
        backend="local",
        concurrency=4,
        evaluation=EvaluationOptions(singles="none"),
        log_dir=surroundings,
    )
    work = ["run", "-n", "array", "-a", "plays_its_part", "-m", "none", "--backend", "local"]
    work += ["--dataset-dir", str(data), "-s", "chosen"]
    said = command("submit", "slurm", "--array", "4", "--", *work, "-c", "1", "--claim-patience", "5")
    assert said.code == 0, said
    number = said.out.split()[1].rstrip(":")
    until(lambda: len(cluster.ask("squeue", "-h", "-t", "R", "-r", "-o", "%i").split()) == 4, seconds=60)
    until(lambda: len(list(surroundings.glob("array/coop/*/*/.*.claims/work.1"))) >= 3, seconds=90)
    cluster.ask("scancel", f"{number}_1")
    cluster.ask("scontrol", "requeue", f"{number}_2")
    on_first = cluster.ask("squeue", "-h", "-t", "R", "-r", "-w", "n1", "-o", "%i").split()
    assert on_first, "nothing runs on the node that is lost"
    cluster.lose("n1")
    watched = command("runs", "watch", "array")
    assert watched.code == 0, watched
    deadline = time.monotonic() + 200
    while not read_run("array", surroundings).complete:
        assert time.monotonic() < deadline
        time.sleep(1)
    together = read_run("array", surroundings)
    verdicts = {each.group: each.verdict.outcome for each in together.episodes if each.verdict}
    assert verdicts == {each.group: each.verdict.outcome for each in alone.episodes if each.verdict}
    assert len(verdicts) == len(PAIRS)
    assert all(each.attempts <= newest_claim(each.files) for each in together.episodes)
    cluster.ask("scancel", number)


def test_the_script_is_printed_to_be_edited(surroundings: Path) -> None:
    said = command("submit", "slurm", "--array", "16", "--sbatch=--partition=low", "--print", "--", *WORK)
    assert said.code == 0, said
    lines = said.out.splitlines()
    assert "#SBATCH --array=1-16" in lines
    assert "#SBATCH --partition=low" in lines
    assert lines[-1].startswith("exec srun ")
    assert lines[-1].endswith(f"{' '.join(WORK)} --claim --log-dir {surroundings}")
    assert not surroundings.exists()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("eval", "-n", "array"), "'eval' cannot be submitted"),
        (("run", "-s", "dmeo", "-a", "gold"), "did you mean 'demo'?"),
        (("run", "-s", "demo", "-a", "gold", "--nothing"), "has no option '--nothing'"),
    ],
)
def test_words_that_cannot_be_submitted(surroundings: Path, words: tuple[str, ...], answer: str) -> None:
    said = command("submit", "slurm", "--", *words)
    assert said.code == 2
    assert answer in said.err
    assert not surroundings.exists()


def test_without_slurm(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match="sbatch is not installed here"):
        submit([RunDirectory(surroundings / "array")], "#!/bin/sh\n")
