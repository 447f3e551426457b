"""Processes that share a run: each episode is finished exactly once, whoever is killed, stopped, late or sent away."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cooperbench.errors import UsageError
from cooperbench.records import EpisodeDirectory, EpisodeResult, EpisodeStatus, read_model
from cooperbench.records.claims import Claimant, newest_claim
from cooperbench.records.ledger import RunLedger
from cooperbench.runner import ClaimOptions, SessionOptions, read_run
from cooperbench.runner.engine.claims import ClaimLost, Claims
from cooperbench.testing.conformance.commands import until
from tests.command_line import cooperbench as command

CommandLine = Callable[..., subprocess.Popen[str]]
GROUPS, PROCESSES, STRIKES, PATIENCE = 24, 5, 14, 2.0
PAIR = ("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-n", "held", "--no-auto-eval", "--claim", "-a", "waits")
SOON = ("--claim-patience", "2")


@pytest.mark.ci
@pytest.mark.slow
def test_each_group_is_published_once_whoever_is_killed_or_stopped(tmp_path: Path) -> None:
    root, log, drawn = tmp_path / "groups", tmp_path / "log", random.Random(7)
    root.mkdir()
    log.touch()
    processes = [claiming(root, log, seed) for seed in range(PROCESSES)]
    for strike in range(STRIKES):
        time.sleep(drawn.uniform(0.05, 0.3))
        place = drawn.randrange(PROCESSES)
        victim = processes[place]
        if strike % 2:
            victim.kill()
            victim.wait()
            processes[place] = claiming(root, log, 100 + strike)
        elif victim.poll() is None:
            with stopped(victim):
                time.sleep(drawn.choice((0.2, 2.5)))
    assert [process.wait(timeout=120) for process in processes] == [0] * PROCESSES
    check_published(root, log, GROUPS)


def check_published(root: Path, log: Path, groups: int) -> None:
    said = [json.loads(line) for line in log.read_text().splitlines()]
    for number in range(groups):
        name = f"g{number:03}"
        parts = {(root / name / f"part{part}").read_text() for part in range(3)}
        assert len(parts) == 1, "the work of two attempts is mixed"
        [_, attempt, process] = json.loads(parts.pop())
        published = [(each[1], each[4]) for each in said if each[2:4] == ["published", name]]
        assert published in ([(process, attempt)], []), "somebody else believes to have published"
        took = [each[4] for each in said if each[2:4] == ["took", name]]
        assert len(took) == len(set(took)), "two processes have the same claim"


def claiming(
    root: Path, log: Path, seed: int, groups: int = GROUPS, patience: float = PATIENCE
) -> subprocess.Popen[bytes]:
    program = Path(__file__).with_name("claiming.py")
    return subprocess.Popen([sys.executable, program, root, log, str(seed), str(groups), str(patience)])


@pytest.mark.ci
@pytest.mark.needs("fuse")
@pytest.mark.slow
def test_each_group_is_published_once_on_a_disk_that_sees_late_and_loses_answers(tmp_path: Path) -> None:
    backing, log = tmp_path / "backing", tmp_path / "log"
    (backing / "groups").mkdir(parents=True)
    log.touch()
    with network_disk(backing, tmp_path / "one", 1) as one, network_disk(backing, tmp_path / "two", 2) as two:
        roots = [one / "groups", two / "groups"] * 2
        processes = [claiming(root, log, seed, groups=12, patience=4.0) for seed, root in enumerate(roots)]
        assert [process.wait(timeout=150) for process in processes] == [0] * 4
    check_published(backing / "groups", log, 12)


@contextmanager
def network_disk(backing: Path, mount: Path, seed: int) -> Iterator[Path]:
    mount.mkdir()
    program = Path(__file__).with_name("network_disk.py")
    served = subprocess.Popen([sys.executable, program, backing, mount, str(seed)])
    try:
        until(mount.is_mount, seconds=60)
        yield mount
    finally:
        subprocess.run(["fusermount3", "-u", "-z", mount], check=True)
        served.wait(timeout=60)


@contextmanager
def stopped(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> Iterator[None]:
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)


@pytest.fixture
def episode(tmp_path: Path) -> EpisodeDirectory:
    return EpisodeDirectory(tmp_path / "f1_f2")


def claims_of(options: ClaimOptions | None = None) -> Claims:
    return Claims(options or ClaimOptions(), Claimant.of_this_process())


def begin(episode: EpisodeDirectory, number: int) -> EpisodeDirectory:
    attempt = episode.attempt(number)
    attempt.path.mkdir(parents=True)
    (attempt.path / "work").write_text(str(number))
    return attempt


def test_a_late_owner_cannot_publish_and_destroys_nothing(episode: EpisodeDirectory) -> None:
    late, next_one = claims_of(), claims_of()
    assert late.take(episode) == 1
    begin(episode, 1)
    late.end(episode, 1, "interrupted")
    assert next_one.take(episode) == 2
    with pytest.raises(ClaimLost):
        late.beat(episode, 1)
    with pytest.raises(ClaimLost):
        late.publish(episode, 1, episode.attempt(1))
    next_one.publish(episode, 2, begin(episode, 2))
    assert (episode.path / "work").read_text() == "2"
    assert episode.attempt(1).path.exists()


def test_the_rename_decides_where_the_look_before_it_came_too_early(episode: EpisodeDirectory) -> None:
    one = claims_of()
    assert one.take(episode) == 1
    begin(episode, 9).path.rename(episode.path)
    (episode.path / "claim.json").write_text("somebody's")
    with pytest.raises(ClaimLost):
        one.publish(episode, 1, begin(episode, 1))


def test_an_owner_that_gives_signs_of_life_is_left_alone(episode: EpisodeDirectory) -> None:
    options = ClaimOptions(patience=0.2)
    owner, other = claims_of(options), claims_of(options)
    assert owner.take(episode) == 1
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        owner.beat(episode, 1)
        assert other.take(episode) is None
        time.sleep(0.02)
    until(lambda: other.take(episode) == 2, seconds=60)


def test_what_a_process_without_claims_left_is_kept_aside(episode: EpisodeDirectory) -> None:
    episode.work.mkdir(parents=True)
    (episode.path / "notes.txt").write_text("mine")
    one = claims_of()
    assert one.take(episode, above=3) == 4
    one.publish(episode, 4, begin(episode, 4))
    assert (episode.path / "work").read_text() == "4"
    assert (episode.claims / "before.1" / "notes.txt").read_text() == "mine"


def test_the_run_has_cost_what_all_claimants_spent(tmp_path: Path) -> None:
    own, other = RunLedger(tmp_path / "costs.00ff.txt", limit=1.0), RunLedger(tmp_path / "costs.txt")
    own.add(0.25)
    other.add(0.5)
    (tmp_path / "costs of mine.txt").write_text("not a ledger")
    assert own.total() == other.total() == 0.75
    other.add(0.25)
    assert own.total() == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ClaimOptions(shard=(0, 4)), "shard 0/4"),
        (ClaimOptions(shard=(5, 4)), "shard 5/4"),
        (ClaimOptions(patience=0.0), "patience"),
    ],
)
def test_options_that_make_no_sense(options: ClaimOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        SessionOptions(claims=options).check()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--shard", "0/4"), "'0/4' is not a part such as 3/16"),
        (("--shard", "4"), "'4' is not a part such as 3/16"),
        (("--claim", "--force"), "--force discards what others work on"),
        (("--claim-patience", "5"), "add --claim"),
    ],
)
def test_words_that_make_no_sense(surroundings: Path, words: tuple[str, ...], answer: str) -> None:
    said = command("run", "-s", "demo", "-a", "nop", "-n", "bad", *words)
    assert said.code == 2
    assert answer in said.err
    assert not (surroundings / "bad").exists()


@pytest.mark.ci
@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_shards_and_claimants_finish_a_run_together(surroundings: Path, cooperbench: CommandLine) -> None:
    run = ("run", "-s", "demo", "-r", "ledgerkit", "-a", "nop", "-n", "shared", "--no-auto-eval", "-c", "3")
    assert command(*run, "--shard", "1/3").code == 0
    done = read_run("shared", surroundings)
    assert done.summary.completed == 5
    assert {each.group.features for each in done.episodes[::3]} == {
        each.group.features for each in done.episodes if each.completed
    }
    with cooperbench(*run, "--claim") as one, cooperbench(*run, "--claim") as two:
        said = [process.communicate()[0] for process in (one, two)]
        assert [one.returncode, two.returncode] == [0, 0], said
    whole = read_run("shared", surroundings)
    assert whole.complete
    assert whole.summary.wasted_cost == 0
    owners = [read_model(each.directory / "claim.json", Claimant).token for each in whole.episodes]
    assert len(set(owners)) >= 2
    assert {each.attempts for each in whole.episodes} == {1}
    assert command("runs", "rm", "shared", "--yes").code == 0
    assert not (surroundings / "shared").exists()


@pytest.mark.ci
@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_claimants_that_are_killed_sent_away_or_stopped(surroundings: Path, cooperbench: CommandLine) -> None:
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*PAIR, *SOON) as killed:
        both_have_begun(gate)
        refused = command(*[word for word in PAIR if word != "--claim"])
        assert refused.code == 2
        assert "is working on run 'held'" in refused.err
        killed.kill()
    with cooperbench(*PAIR, *SOON) as sent_away:
        both_have_begun(gate)
        sent_away.terminate()
        assert sent_away.wait() == 130
    with cooperbench(*PAIR, *SOON) as late:
        both_have_begun(gate)
        with stopped(late):
            gate.unlink()
            with cooperbench(*PAIR, *SOON) as last:
                said, _ = last.communicate()
                assert last.returncode == 0, said
        said, _ = late.communicate()
        assert late.returncode == 0, said
    [episode] = read_run("held", surroundings).episodes
    assert episode.attempts == newest_claim(episode.files) == 4
    ended = {number: read_model(episode.files.attempt(number).result, EpisodeResult).status for number in (2, 3)}
    assert ended == {2: EpisodeStatus.INTERRUPTED, 3: EpisodeStatus.INTERRUPTED}


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_what_a_dead_owner_had_finished_is_published_and_not_paid_again(surroundings: Path) -> None:
    run = ("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-n", "paid", "-a", "gold", "--claim", *SOON)
    assert command(*run, "--no-auto-eval").code == 0
    [before] = read_run("paid", surroundings).episodes
    owner = before.directory / "claim.json"
    owner.unlink()
    before.directory.rename(before.files.attempt(1).path)
    (before.files.claim(1) / "end").unlink()
    assert command(*run).code in (0, 1)
    [after] = read_run("paid", surroundings).episodes
    assert after.result == before.result
    assert after.verdict is not None
    assert newest_claim(after.files) == 2


def both_have_begun(gate: Path) -> None:
    with os.fdopen(os.open(gate, os.O_RDWR)) as stream:
        assert {stream.readline(), stream.readline()} == {"agent1\n", "agent2\n"}
