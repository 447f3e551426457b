"""A Docker engine that is killed and started again under a run: an engine of the test's own, so that nobody else's is hurt."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cooperbench.environments import orphans
from cooperbench.records import Outcome
from cooperbench.runner import read_run
from tests.runner.parts import write_parts

CommandLine = Callable[..., subprocess.Popen[str]]
IMAGE = "cooperbench-test/base"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.needs("own engine"),
    pytest.mark.slow,
    pytest.mark.ci,
    pytest.mark.timeout(600),
]


class Engine:
    """A Docker engine with everything of its own. It makes no networks: containers have a loopback device only."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.address = f"unix://{place}/engine.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        folders = ["--data-root", f"{self._place}/data", "--exec-root", f"{self._place}/exec"]
        folders += ["--pidfile", f"{self._place}/pid", "--host", self.address]
        apart = ["--containerd-namespace", self._place.name, "--containerd-plugins-namespace", f"{self._place.name}-p"]
        networks = ["--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"]
        flags = os.environ.get("COOPERBENCH_CI_DOCKERD_FLAGS", "").split()
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # Without network devices to itself, an engine told to have no bridge removes that of the machine's engine.
                ["unshare", "--net", "dockerd", *folders, *apart, *networks, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while self.docker("version").returncode != 0:
            assert self._process.poll() is None, (self._place / "log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """End it as a crash does; its containers stay until it comes back."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        # Their numbers may be other programs' when it starts again.
        for file in (self._place / "pid", self._place / "exec" / "containerd" / "containerd.pid"):
            file.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it with everything in it."""
        assert self._process is not None
        containers = self.docker("ps", "-aq").stdout.split()
        if containers:
            self.docker("rm", "-f", *containers)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)

    def sweep(self) -> None:
        """End what a test that failed left: the containers' keepers name this engine's folder."""
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._place.name.encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                    os.kill(int(entry.name), signal.SIGKILL)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in mounts:
            if mount.startswith(str(self._place)):
                subprocess.run(["umount", "--lazy", mount], check=False)

    def docker(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command line of Docker, on this engine."""
        command = ["docker", "--host", self.address, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    # Not in the test's own folder: the paths of sockets must be short. Not by `tempfile`: its names may end with a `_`, and those of
    # containerd's namespaces may not.
    place = Path("/tmp", f"cb-engine-{secrets.token_hex(4)}")
    place.mkdir()
    own = Engine(place)
    try:
        own.start()
        with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saving:
            subprocess.run(["docker", "--host", own.address, "load"], stdin=saving.stdout, check=True)
        monkeypatch.setenv("DOCKER_HOST", own.address)
        yield own
        own.stop()
    finally:
        own.sweep()
        with contextlib.suppress(OSError):
            shutil.rmtree(place)


def test_an_engine_that_is_killed_and_started_again(
    surroundings: Path, cooperbench: CommandLine, tmp_path: Path, engine: Engine
) -> None:
    """All agents are at work when it goes. Their episodes are repeated, in this session or by the same command."""
    write_parts(tmp_path / "data", 3, backend="docker")
    command = ["run", "-a", "keeps_working", "-m", "none", "-n", "exp", "--dataset-dir", "data", "--backend", "docker"]
    command += ["--no-messaging", "-c", "3", "--eval-concurrency", "1"]
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*command) as runner:
        with os.fdopen(os.open(gate, os.O_RDWR)) as stream:
            assert [stream.readline() for _ in range(6)] == ["working\n"] * 6
        engine.kill()
        gate.unlink()
        engine.start()
        Path("back").touch()
        output, _ = runner.communicate()
    print(output)
    assert "Traceback" not in output, output
    if runner.returncode != 0:
        assert "stopping: " in output or "not evaluated" in output, output
        with cooperbench(*command) as again:
            output, _ = again.communicate()
            assert again.returncode == 0, output
    ended = read_run("exp", surroundings)
    assert ended.complete
    assert [episode.evaluation and episode.evaluation.verdict.outcome for episode in ended.episodes] == [
        Outcome.PASSED
    ] * 3
    # Engines of version 20.10 go on listing containers that they removed while they started.
    listed = engine.docker("ps", "-aq").stdout.split()
    assert [name for name in listed if engine.docker("inspect", name).returncode == 0] == []
    assert orphans("exp", backends=["docker"]) == []
