"""What can be said about runs on Ray without a cluster; `test_ray_cluster.py` has one."""

import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench import __version__
from cooperbench.records import EpisodeDirectory, EpisodeStatus
from cooperbench.records.claims import Claimant
from cooperbench.runner import ClaimOptions, RunRequest, SessionOptions, make_plan, read_run
from cooperbench.runner.engine.claims import Claims, end_of, release
from cooperbench.runner.ray.claimant import encode
from cooperbench.runner.ray.messages import NodeMessage
from cooperbench.runner.ray.node import NodeActor
from cooperbench.runner.ray.shares import shares
from cooperbench.testing.conformance.commands import until
from tests.command_line import cooperbench as command

WORK = ("run", "-s", "demo", "-r", "ledgerkit", "--limit", "2", "-a", "nop", "-n", "elsewhere")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--executor", "ray"), "--executor ray needs the extra 'ray', which is not installed"),
        (("--executor", "ray", "-m", "one", "-m", "two"), "--executor ray needs the extra 'ray'"),
        (("--executor", "rya"), "did you mean 'ray'?"),
        (("--ray-address", "10.0.0.1:6379"), "add --executor ray"),
        (("--executor", "ray", "-a", "human"), "works at this machine's terminal"),
        (("--executor", "ray", "--claim", "--force"), "--force discards what others work on"),
        (("--executor", "ray", "-c", "0"), "concurrency must be at least 1"),
    ],
)
def test_mistakes_are_named_in_one_line(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], answer: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    named = WORK if "-m" not in words else WORK[:-2]
    said = command(*named, *words)
    assert said.code == 2, said
    assert answer in said.err
    assert len(said.err.splitlines()) <= 2
    assert not surroundings.exists()


def test_a_dry_run_names_what_is_missing(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    said = command(*WORK, "--executor", "ray", "--dry-run")
    assert said.code == 0
    assert "missing: Ray: --executor ray needs the extra 'ray'" in said.out
    assert not surroundings.exists()


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(0, 100))
def test_seats_are_as_many_as_wanted_and_fit(rooms: list[int], wanted: int) -> None:
    given = shares(rooms, wanted)
    assert sum(given) == min(wanted, sum(rooms))
    assert all(0 <= share <= room for share, room in zip(given, rooms, strict=True))
    with_room = [share for share, room in zip(given, rooms, strict=True) if share < room]
    assert max(with_room, default=0) - min(with_room, default=0) <= 1


def test_a_node_says_why_it_cannot_take_part(tmp_path: Path) -> None:
    node, mark = NodeActor(sees_within=0.3), tmp_path / "mark"
    mark.touch()
    assert node.check(__version__, str(tmp_path), str(mark)) is None
    for version, folder, seen, answer in (
        (f"{__version__}.1", str(tmp_path), mark, f"and this is {__version__}.1"),
        (__version__, str(tmp_path / "gone"), mark, f"does not have the current folder {tmp_path}/gone"),
        (__version__, str(tmp_path), tmp_path / "elsewhere", "the log directory is not shared"),
    ):
        refusal = node.check(version, folder, str(seen))
        assert refusal is not None
        assert answer in refusal.text
        assert refusal.hint


def test_claims_of_a_lost_claimant_are_free_at_once(tmp_path: Path) -> None:
    lost, other = (Claims(ClaimOptions(), Claimant.of_this_process()) for _ in range(2))
    episodes = [EpisodeDirectory(tmp_path / f"f{number}") for number in range(4)]
    for episode in episodes[:2]:
        assert lost.take(episode) == 1
    lost.end(episodes[0], 1, "finished")
    assert other.take(episodes[2]) == 1
    assert release(lost.me.token, episodes) == 1
    assert end_of(episodes[0], 1) == "finished"
    assert end_of(episodes[2], 1) is None
    assert other.take(episodes[1]) == 2
    assert release(lost.me.token, episodes) == 0


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_node_works_and_ends_in_order(surroundings: Path) -> None:
    request = RunRequest(
        run_name="node", subset="demo", repo="ledgerkit", features=(1, 2), agent="waits", log_dir=surroundings
    )
    Path("go").touch()
    plan = make_plan(request)
    options = SessionOptions(concurrency=1, auto_eval=False, claims=ClaimOptions(token="abc123"))
    node, log = NodeActor(), surroundings.parent / "node.log"
    said: list[NodeMessage] = []

    def listen() -> None:
        lines = node.work(encode(sys.path, plan, options), dict(os.environ), str(surroundings.parent), str(log))
        said.extend(map(NodeMessage.model_validate_json, lines))

    listening = threading.Thread(target=listen)
    listening.start()
    until(lambda: any(surroundings.glob("node/coop/*/*/.*.claims/work.1/.work/members/*")), seconds=60)
    node.stop()
    listening.join(60)
    assert not listening.is_alive()
    assert said[-1].kind == "interrupted", (said, log.exists() and log.read_text())
    states = [each.result.status for each in read_run("node", surroundings).episodes if each.result]
    assert states == [EpisodeStatus.INTERRUPTED]
