"""Deletes one machine when it was unused for a while, in a separate process that outlives a killed runner.

    python -m cooperbench.environments.gcp.janitor FOLDER

It checks the locks of the machine's folder once a second. What it cannot delete (no network, expired credentials) the provider
deletes at the end of the machine's lifetime.
"""

import sys
import time
from pathlib import Path

from cooperbench.environments.gcp.compute import Compute
from cooperbench.environments.gcp.pool import MachineFolder, pool_lock
from cooperbench.errors import CooperBenchError

LOOK_SECONDS = 1.0
KILLED_SECONDS = 5.0
"""Time for another process to save the work of a killed one."""
ATTEMPTS = 10
LONGEST_PAUSE = 60.0


def watch(folder: MachineFolder) -> None:
    """Wait until the machine is unused, and delete it. Return when it is gone, whoever deleted it."""
    try:
        wanted = folder.wanted
        unused_since: float | None = None
        while folder.path.is_dir():
            # Under the pool's lock, so that nobody mistakes this check for a taken slot.
            with pool_lock(wanted.settings.project_id):
                unused = folder.unused()
                now = time.monotonic()
                unused_since = (unused_since or now) if unused else None
                abandoned = folder.machine() is None  # its creator was killed
                patience = 0 if abandoned else max(KILLED_SECONDS, wanted.settings.idle_seconds)
                over = unused_since is not None and now - unused_since >= patience
                if over:
                    folder.remove()
            if over:
                delete(wanted.settings.project_id, wanted.settings.zones, wanted.name)
                return
            time.sleep(LOOK_SECONDS)
    except FileNotFoundError:
        return  # removed during the check


def delete(project: str, zones: list[str], name: str) -> None:
    """Delete a machine in whichever zone it is, retrying for some minutes."""
    pause = 1.0
    for _ in range(ATTEMPTS):
        try:
            compute = Compute(project)
            for zone in zones:
                compute.delete(zone, name)
            return
        except CooperBenchError:
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)


if __name__ == "__main__":
    watch(MachineFolder(Path(sys.argv[1])))
