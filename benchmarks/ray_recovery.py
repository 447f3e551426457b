"""A Ray cluster of three nodes on this machine, of which one raylet and then one whole node are killed: seconds to notice and to recover.

    python benchmarks/ray_recovery.py [--groups 8] [--repeats 2] [--sandboxes 4]

Needs the extra `ray`. In `unshare -n sh -c 'ip link set lo up; ...'` Ray listens to this machine alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from cooperbench.records.claims import Claimant, newest_claim
from cooperbench.records.files import read_model
from cooperbench.records.runs import read_run
from tests.runner.ray_nodes import claimants, ray_cluster

LOOK = 0.05


class Output:
    """The lines of a command, each with the time of its arrival."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.lines: list[tuple[float, str]] = []
        self._process = process
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            print(f"  {line}", end="", flush=True)
            self.lines.append((time.monotonic(), line))

    def seconds_until(self, words: str, since: float) -> float:
        """Return how long after `since` a line with these words came; NaN when the command ends without one."""
        while True:
            for when, line in self.lines:
                if when >= since and words in line:
                    return when - since
            if self._process.poll() is not None:
                return float("nan")
            time.sleep(LOOK)


def claims(working: Path) -> dict[Path, int]:
    """Return the number of claims on each episode."""
    return {folder: len(list(folder.glob("claim.*"))) for folder in working.glob("*/*/.*.claims")}


def seconds_until_taken_over(
    working: Path, before: dict[Path, int], since: float, process: "subprocess.Popen[str]"
) -> float:
    """Wait for a further claim on an episode that had one when the node was lost."""
    while process.poll() is None:
        now = claims(working)
        if any(now.get(folder, 0) > count for folder, count in before.items()):
            return time.monotonic() - since
        time.sleep(LOOK)
    return float("nan")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--groups", type=int, default=8)
    options.add_argument("--repeats", type=int, default=2)
    options.add_argument("--sandboxes", type=int, default=4)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place, ray_cluster(given.sandboxes) as cluster:
        victims = {"raylet": cluster.add(given.sandboxes), "whole node": cluster.add(given.sandboxes)}
        working = Path(place) / "recovery" / "coop"
        command = [sys.executable, "-m", "cooperbench.cli.main", "run", "-s", "demo", "-a", "gold", "-n", "recovery"]
        command += ["--limit", str(given.groups), "-k", str(given.repeats), "--seed", "1", "--falsify", "off"]
        command += ["--executor", "ray", "--ray-address", cluster.address, "--log-dir", place, "--claim-patience", "60"]
        began = time.monotonic()
        with subprocess.Popen(
            command,
            env={**os.environ, **cluster.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            output = Output(process)
            while len(claimants(working)) < 3 and process.poll() is None:
                time.sleep(LOOK)
            print(f"three nodes at work after {time.monotonic() - began:.1f} s")
            for name, node in victims.items():
                held = claims(working)
                since = time.monotonic()
                if name == "raylet":
                    node.lose_raylet()
                else:
                    node.lose()
                noticed = output.seconds_until("is lost", since)
                taken = seconds_until_taken_over(working, held, since, process)
                print(
                    f"{name} lost: noticed after {noticed:.1f} s, its first episode taken over after {taken:.1f} s",
                    flush=True,
                )
            process.wait()
        print(f"run: {time.monotonic() - began:.1f} s, exit code {process.returncode}")
        episodes = read_run("recovery", place).episodes
        attempts = Counter((newest_claim(each.files), each.state.value) for each in episodes)
        owners = {read_model(each.files.path / "claim.json", Claimant).token for each in episodes}
        print(f"(claims, state): {dict(attempts)}; published by {len(owners)} claimants")


if __name__ == "__main__":
    main()
