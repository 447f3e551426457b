"""Runs on a real Ray cluster, of which a raylet and then a whole node are killed. In an environment of its own, as `.ci/run` makes it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from cooperbench.records.claims import newest_claim
from cooperbench.records.episode_state import EpisodeState
from cooperbench.runner import EvaluationOptions, read_run, run
from cooperbench.testing.conformance.commands import until
from tests.command_line import PROGRAM, Said, in_a_new_process
from tests.runner.ray_nodes import RayCluster, claimants, ray_cluster

pytestmark = [
    pytest.mark.needs("sandbox"),
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` (255 MB) is not installed"),
]

WORK = ("-s", "demo", "-r", "shelfdb", "--seed", "1", "--falsify", "off")
GROUPS = 5
ON_RAY = ("--executor", "ray", "--claim-patience", "60")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster(sandboxes=2) as running:
        yield running


class Driver:
    """A command that goes on in the background."""

    def __init__(self, cluster: RayCluster, output: Path, *words: str) -> None:
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [PROGRAM, "run", *ON_RAY, "--ray-address", cluster.address, *words],
                env={**os.environ, **cluster.environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._output.read_text()

    def await_words(self, *words: str, seconds: float = 120) -> None:
        until(lambda: all(word in self.said for word in words) or self._process.poll() is not None, seconds=seconds)
        assert all(word in self.said for word in words), self.said

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        return self._process.wait(timeout=200)


@pytest.mark.timeout(500)
def test_lost_nodes_cost_only_what_they_worked_on(surroundings: Path, cluster: RayCluster) -> None:
    first, second = cluster.add(sandboxes=2), cluster.add(sandboxes=2)
    alone = run(
        "alone",
        "gold",
        subset="demo",
        repo="shelfdb",
        limit=GROUPS,
        seed=1,
        falsify="off",
        evaluation=EvaluationOptions(singles="none"),
        log_dir=surroundings,
    )
    driver = Driver(
        cluster, surroundings.parent / "said", *WORK, "--limit", str(GROUPS), "-k", "2", "-a", "gold", "-n", "lost"
    )
    working = surroundings / "lost" / "coop"
    until(lambda: len(claimants(working)) == 3 or "error" in driver.said, seconds=120)
    first.lose_raylet()
    driver.await_words("is lost")
    second.lose()
    assert driver.end() == 0, driver.said
    assert driver.said.count("is lost") == 2, driver.said
    assert "(raylet)" not in driver.said, "Ray prints where facts go"
    lost = read_run("lost", surroundings)
    expected = {
        (each.group.folder, each.group.task_id): each.verdict.outcome for each in alone.episodes if each.verdict
    }
    assert len(expected) == GROUPS
    for episode in lost.episodes:
        assert episode.verdict is not None
        folder = episode.group.model_copy(update={"repeat": 1}).folder
        assert episode.verdict.outcome == expected[folder, episode.group.task_id]
        assert episode.attempts <= newest_claim(episode.files) <= 3
    assert len(lost.episodes) == 2 * GROUPS
    again = on_ray(cluster, *WORK, "--limit", str(GROUPS), "-k", "2", "-a", "gold", "-n", "lost")
    assert again.code == 0
    assert f"{2 * GROUPS}/{2 * GROUPS} episodes completed" in again.out


@pytest.mark.timeout(300)
def test_a_node_that_joins_takes_part_and_ctrl_c_keeps_the_work(surroundings: Path, cluster: RayCluster) -> None:
    os.mkfifo("go")
    gate = os.open("go", os.O_RDONLY | os.O_NONBLOCK)
    driver = Driver(cluster, surroundings.parent / "said", *WORK, "-a", "waits", "-n", "joined", "--limit", "8")
    driver.await_words("run joined: 8 episodes")
    cluster.add(sandboxes=2)
    driver.await_words("has joined")
    at_work = bytearray()

    def all_work() -> bool:
        at_work.extend(read(gate))
        return at_work.count(b"\n") == 4

    until(all_work, seconds=120)
    os.close(gate)
    driver.interrupt()
    assert driver.end() == 130, driver.said
    episodes = [each for each in read_run("joined", surroundings).episodes if each.result]
    assert [each.state for each in episodes] == [EpisodeState.INTERRUPTED] * 2
    assert all(each.patch(member) for each in episodes for member in ("agent1", "agent2")), driver.said


@pytest.mark.parametrize(
    ("token", "words", "answer"),
    [
        ("0" * 64, (), "asks for another token"),
        ("right", ("-c", "50"), "50 episodes at once need 100 sandboxes, and the cluster has room for"),
        ("right", ("--ray-address", "127.0.0.1:1"), "no Ray cluster answers at 127.0.0.1:1"),
    ],
)
def test_mistakes_are_named_in_one_line(
    surroundings: Path, cluster: RayCluster, token: str, words: tuple[str, ...], answer: str
) -> None:
    said = on_ray(cluster, *WORK, "-a", "nop", "-n", "mistaken", *words, token=token)
    assert said.code == 2, said
    assert answer in said.err
    assert len(said.err.splitlines()) == 2, said.err
    assert not surroundings.exists()


def read(pipe: int) -> bytes:
    """Read what is there."""
    try:
        return os.read(pipe, 1000)
    except BlockingIOError:
        return b""


def on_ray(cluster: RayCluster, *words: str, token: str = "right") -> Said:
    environment = dict(cluster.environment)
    if token != "right":
        environment["RAY_AUTH_TOKEN"] = token
    return in_a_new_process("run", *ON_RAY, "--ray-address", cluster.address, *words, env=environment)
