"""A real Ray cluster of several nodes on this machine, in a process of its own that obeys its standard input.

As a script: `start`, `add` and `quit`, a line each; every answer is a line of JSON.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

TRIES = 5
"""Ray gives a node 30 s to start, which is not always enough on a busy machine."""
SURROUNDINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_BACKEND_LOG_LEVEL": "error",
    # By default a node that is silent is lost after half a minute.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


class RayNode(NamedTuple):
    raylet: int

    def lose_raylet(self) -> None:
        os.kill(self.raylet, signal.SIGKILL)

    def lose(self) -> None:
        """Kill everything on the node, as if its machine had lost power."""
        raylet = psutil.Process(self.raylet)
        for process in (raylet, *raylet.children(recursive=True)):
            # A raylet's children end with it, some of them before they are reached.
            with suppress(psutil.NoSuchProcess):
                process.kill()


class RayCluster:
    """Nodes with `sandboxes` each, and what a driver's environment needs."""

    def __init__(self, process: "subprocess.Popen[str]", token: str, address: str) -> None:
        self._process = process
        self.address = address
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}

    def add(self, sandboxes: int) -> RayNode:
        return RayNode(_ask(self._process, f"add {sandboxes}")["raylet"])


@contextmanager
def ray_cluster(sandboxes: int) -> Iterator[RayCluster]:
    """A cluster with one node, the head."""
    token = secrets.token_hex(32)
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **SURROUNDINGS, "RAY_AUTH_TOKEN": token},
    ) as process:
        address = _ask(process, f"start {sandboxes}")["address"]
        try:
            yield RayCluster(process, token, address)
        finally:
            _ask(process, "quit")


def claimants(working: Path) -> set[str]:
    """The tokens of all that have claimed an episode of a run."""
    beats = (beat.read_text() for beat in working.glob("*/*/.*.claims/claim.*/beat"))
    return {json.loads(beat)["token"] for beat in beats if beat}


def _ask(process: "subprocess.Popen[str]", words: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(words + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    assert line, f"the Ray cluster does not obey {words!r}: its own words are on standard error"
    answer: dict[str, Any] = json.loads(line)
    return answer


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "quit":
            cluster.shutdown()
            print("{}", file=answers, flush=True)
            return
        node = _add(cluster, int(rest[0]))
        raylet = node.all_processes["raylet"][0].process.pid
        print(json.dumps({"raylet": raylet, "address": cluster.address}), file=answers, flush=True)


def _add(cluster: Any, sandboxes: int) -> Any:
    for tries_left in reversed(range(TRIES)):
        try:
            return cluster.add_node(
                num_cpus=1,
                resources={"sandboxes": sandboxes},
                object_store_memory=80 * 2**20,
                include_dashboard=False,
            )
        except Exception:
            if not tries_left:
                raise
    raise AssertionError


if __name__ == "__main__":
    _serve()
