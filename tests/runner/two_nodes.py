"""A real Slurm cluster on this machine: one controller and two node daemons in a folder of their own. Needs root."""

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NODES = ("n1", "n2")
# Node daemons with four processors each, whatever the machine has. cons_tres shares a node between jobs.
CONFIGURATION = """\
ClusterName=onebox
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
ReturnToService=2
KillWait=20
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE
"""


class Cluster:
    """The daemons. `SLURM_CONF` must name `configuration` for programs that talk to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "slurm.conf"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        for name in ("state", *(f"spool.{node}" for node in NODES)):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        self.configuration.write_text(CONFIGURATION.format(folder=self.folder, host=host, ports=_ports(3)))
        names = {"key-file": "key", "socket": "sock", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._spawn("munged", "--foreground", "--force", *(f"--{a}={self.folder}/munge.{b}" for a, b in names.items()))
        self._await(lambda: (self.folder / "munge.sock").exists())
        self._spawn("slurmctld", "-D", "-i", "-f", str(self.configuration))
        for node in NODES:
            self._spawn("slurmd", "-D", "-N", node, "-f", str(self.configuration))
        self._await(lambda: set(self.ask("sinfo", "-h", "-N", "-o", "%N %T").splitlines()) == {"n1 idle", "n2 idle"})

    def ask(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def lose(self, node: str) -> None:
        """Kill a node's daemon. What it started lives on, as on a node that lost its network."""
        self._processes[f"slurmd-{node}"].kill()

    def stop(self) -> None:
        for process in reversed(list(self._processes.values())):
            process.terminate()
            process.wait(timeout=60)

    def _spawn(self, program: str, *arguments: str) -> None:
        name = f"{program}-{arguments[2]}" if program == "slurmd" else program
        with (self.folder / f"{name}.out").open("wb") as log:
            self._processes[name] = subprocess.Popen([program, *arguments], stdout=log, stderr=log)

    def _await(self, ready: object) -> None:
        assert callable(ready)
        deadline = time.monotonic() + 90
        while not ready():
            if time.monotonic() > deadline:
                logs = [f"{log}: {log.read_text()[-600:]}" for log in self.folder.glob("*.log")]
                raise AssertionError("the cluster does not start: " + "\n".join(logs))
            time.sleep(0.1)


@contextmanager
def two_nodes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    monkeypatch.setenv("SLURM_CONF", str(cluster.configuration))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
