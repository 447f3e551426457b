"""A Redis of the user's that is restarted or out of reach in the middle of a run."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cooperbench.records import EpisodeStatus
from cooperbench.runner import read_run
from tests.runner.parts import write_parts

CommandLine = Callable[..., subprocess.Popen[str]]

pytestmark = [pytest.mark.needs("redis-server", "sandbox"), pytest.mark.slow, pytest.mark.ci]


class Redis:
    """A server of its own, on one port throughout; with or without what it keeps over a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, persistent: bool) -> None:
        """Start it and wait until it answers. Without `persistent` it has what the last snapshot has, if there was one."""
        keeps = ["--appendonly", "yes" if persistent else "no"]
        command = ["redis-server", "--port", str(self.port), "--dir", str(self._folder), "--save", "", *keeps]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(7) == b"+PONG\r\n":
                        return
            except OSError:
                time.sleep(0.05)
            assert self._process.poll() is None

    def take_snapshot(self) -> None:
        """Keep what it holds now."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(b"SAVE\r\n")
            assert connection.recv(5) == b"+OK\r\n"

    def kill(self) -> None:
        """End it with -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def cut_off(self) -> None:
        """Have nothing come through any more, as when the network is lost: nobody refuses, nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def reconnect(self) -> None:
        """Let everything through again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis")
    yield server
    server.kill()


def command_with(redis: Redis) -> list[str]:
    command = ["run", "-a", "keeps_working", "-m", "none", "-n", "exp", "--dataset-dir", "data", "--backend", "local"]
    return [*command, "--redis", f"redis://127.0.0.1:{redis.port}", "-c", "3", "--no-auto-eval"]


@pytest.mark.parametrize("keeps", ["everything", "a snapshot", "nothing"])
def test_a_redis_that_is_killed_and_started_again(
    surroundings: Path, cooperbench: CommandLine, tmp_path: Path, redis: Redis, keeps: str
) -> None:
    """With its data the run goes on as if nothing had been; without, episodes are repeated, not scored half-deaf."""
    persistent = keeps == "everything"
    write_parts(tmp_path / "data", 3)
    redis.start(persistent=persistent)
    command = command_with(redis)
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*command) as runner:
        with os.fdopen(os.open(gate, os.O_RDWR)) as stream:
            assert [stream.readline() for _ in range(6)] == ["working\n"] * 6
        if keeps == "a snapshot":
            redis.take_snapshot()
        redis.kill()
        gate.unlink()
        redis.start(persistent=persistent)
        Path("back").touch()
        output, _ = runner.communicate()
    print(output)
    assert "Traceback" not in output, output
    if runner.returncode != 0:
        with cooperbench(*command) as again:
            output, _ = again.communicate()
            assert again.returncode == 0, output
    results = [episode.result for episode in read_run("exp", surroundings).episodes]
    assert [result and result.status for result in results] == [EpisodeStatus.COMPLETED] * 3
    assert [result and result.attempt for result in results] == [1 if persistent else 2] * 3
    # One each, delivered or, where the teammate had ended by then, refused.
    told = [json.loads(path.read_text()) for path in surroundings.rglob("conversation.json")]
    assert [len(messages) for messages in told] == [1] * 3


def test_a_redis_that_is_out_of_reach(
    surroundings: Path, cooperbench: CommandLine, tmp_path: Path, redis: Redis
) -> None:
    """Nothing hangs and nothing is scored: it is said, and what was at work is repeated."""
    write_parts(tmp_path / "data", 3)
    redis.start(persistent=True)
    command = command_with(redis)
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*command) as runner:
        with os.fdopen(os.open(gate, os.O_RDWR)) as stream:
            assert [stream.readline() for _ in range(6)] == ["working\n"] * 6
        redis.cut_off()
        gate.unlink()
        Path("back").touch()
        assert runner.stdout is not None
        said = []
        for line in runner.stdout:
            said.append(line)
            if "does not answer" in line:
                redis.reconnect()
    print(*said)
    assert "does not answer" in "".join(said)
    assert "Traceback" not in "".join(said)
    if runner.returncode != 0:
        with cooperbench(*command) as again:
            output, _ = again.communicate()
            assert again.returncode == 0, output
    results = [episode.result for episode in read_run("exp", surroundings).episodes]
    assert [result and result.status for result in results] == [EpisodeStatus.COMPLETED] * 3
    # Where everything timed out at one moment, an agent was told of its one lost call and went on; what is repeated loses nothing.
    repeated = [path for path in surroundings.rglob("result.json") if json.loads(path.read_text())["attempt"] > 1]
    assert repeated
    told = [json.loads(path.with_name("conversation.json").read_text()) for path in repeated]
    assert [len(messages) for messages in told] == [1] * len(repeated)
