"""Sandboxes and snapshots that runs left behind on this machine."""

import contextlib
import shutil
import time
from pathlib import Path

from cooperbench.environments.backend import Orphan
from cooperbench.environments.contract import SandboxHandle
from cooperbench.environments.local import store
from cooperbench.environments.local.rootfs import remove as discard
from cooperbench.environments.local.transport import LocalTransport, sandboxes
from cooperbench.errors import RecordError
from cooperbench.records import read_model

LONGEST_START = 3600.0
"""Seconds. A folder that is older and has nothing running in it was left behind."""
BROKEN = "unknown"
"""The run of a folder without a record: its start was killed in the first moment."""


def find(run: str | None) -> list[Orphan]:
    """Return sandboxes and snapshots, of one run or of all."""
    found = []
    for folder in sorted(sandboxes().glob("*")):
        try:
            handle = read_model(folder / "sandbox.json", SandboxHandle)
        except (FileNotFoundError, RecordError):
            expired = _age(folder) > LONGEST_START
            found.append(Orphan(backend="local", kind="directory", identifier=folder.name, run=BROKEN, expired=expired))
            continue
        labels, running = handle.labels, LocalTransport(handle, None).alive()
        found.append(
            Orphan(
                backend="local",
                kind="sandbox",
                identifier=folder.name,
                run=labels.run,
                owner=labels.owner,
                expired=not running and _age(folder) > max(LONGEST_START, handle.options.lifetime),
                running=running,
                description=f"{labels.episode} {labels.agent_id}, from {handle.image}",
            )
        )
    found += [
        Orphan(backend="local", kind="snapshot", identifier=image.record.name, run=image.record.run)
        for image in store.find_all()
        if image.record.run is not None
    ]
    return [orphan for orphan in found if run is None or orphan.run == run]


def using(image: str) -> list[str]:
    """Return the running sandboxes of an image."""
    found = []
    for folder in sorted(sandboxes().glob("*")):
        with contextlib.suppress(FileNotFoundError, RecordError):
            handle = read_model(folder / "sandbox.json", SandboxHandle)
            if handle.image == image and LocalTransport(handle, None).alive():
                found.append(handle.identifier)
    return found


def _age(folder: Path) -> float:
    """Return the seconds since a sandbox's folder was made or changed."""
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:  # it has just ended
        return 0.0


def remove(orphan: Orphan) -> None:
    """Remove one. One that is already gone is fine."""
    if orphan.kind == "snapshot":
        shutil.rmtree(store.folder(orphan.identifier), ignore_errors=True)
        return
    folder = sandboxes() / orphan.identifier
    if orphan.kind == "sandbox":
        with contextlib.suppress(FileNotFoundError, RecordError):
            LocalTransport(read_model(folder / "sandbox.json", SandboxHandle), None).stop()
    discard(folder)
