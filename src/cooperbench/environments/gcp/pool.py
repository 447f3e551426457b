"""The pool of machines and their slots: plain files and locks, shared by all processes of this user.

Each machine has a folder in the cache with one lock file per slot. Holding the lock takes the slot, so a killed process frees it.
The process that finds no free slot creates a machine, while others already queue for its further slots. Its janitor (see
`janitor`) deletes it when no slot was taken for a while.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cooperbench.environments.gcp.compute import Compute
from cooperbench.environments.gcp.machine import Machine, create_machine, new_name
from cooperbench.environments.gcp.settings import GCPSettings
from cooperbench.environments.locks import locked
from cooperbench.errors import SandboxLostError
from cooperbench.records import Record, cache_dir, read_model, write_model

ALIVE = ("PROVISIONING", "STAGING", "RUNNING")


class Wanted(Record):
    """The purpose of a machine; only equal ones share it."""

    name: str
    run: str
    settings: GCPSettings


class Slot:
    """A slot on a machine, until `release`."""

    def __init__(self, folder: "MachineFolder", machine: Machine, descriptor: int) -> None:
        self.machine = machine
        self._folder = folder
        self._descriptor: int | None = descriptor

    def release(self, compute: Compute) -> None:
        """Free the slot; the last one deletes a machine that is not kept. Twice is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError), pool_lock(self.machine.project):
            if self._folder.wanted.settings.idle_seconds > 0 or not self._folder.unused():
                return
            self._folder.remove()
            compute.delete(self.machine.zone, self.machine.name, wait=False)


class MachineFolder:
    """The files of one machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def wanted(self) -> Wanted:
        """The purpose of the machine."""
        return read_model(self.path / "wanted.json", Wanted)

    def machine(self) -> Machine | None:
        """Return the machine, once it runs."""
        try:
            return read_model(self.path / "machine.json", Machine)
        except FileNotFoundError:
            return None

    def write(self, machine: Machine) -> None:
        """Store the machine. Its key is in the file, so nobody else may read it."""
        self.path.chmod(0o700)
        write_model(self.path / "machine.json", machine)

    def fail(self) -> None:
        """Note that the machine will never run."""
        (self.path / "failed").touch()

    @property
    def failed(self) -> bool:
        """True when its creation failed."""
        return (self.path / "failed").exists()

    def lock(self, name: str, *, wait: bool, shared: bool = False) -> int | None:
        """Hold a lock of this machine and return its descriptor; `None` when another process holds it."""
        try:
            descriptor = os.open(self.path / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return None
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def free_slot(self) -> int | None:
        """Take a free slot."""
        for number in range(self.wanted.settings.slots):
            descriptor = self.lock(f"slot-{number}", wait=False)
            if descriptor is not None:
                return descriptor
        return None

    def unused(self) -> bool:
        """Return whether no slot is taken and nobody is creating it."""
        names = ["creating", *(f"slot-{number}" for number in range(self.wanted.settings.slots))]
        for name in names:
            descriptor = self.lock(name, wait=False)
            if descriptor is None:
                return False
            os.close(descriptor)
        return True

    def remove(self) -> None:
        """Remove the machine's folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def machines_folder(project: str) -> Path:
    """Return the folder that holds those of a project's machines."""
    return cache_dir() / "gcp" / project


@contextmanager
def pool_lock(project: str) -> Iterator[None]:
    """Let one process at a time find and change machines. Held for moments only."""
    folder = machines_folder(project)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(folder / "pool.lock"):
        yield


def known_machines(project: str) -> list[MachineFolder]:
    """Return the machines that processes on this computer created."""
    return [MachineFolder(path.parent) for path in sorted(machines_folder(project).glob("*/wanted.json"))]


def acquire(compute: Compute, settings: GCPSettings, run: str) -> Slot:
    """Take a slot on a machine of this run, creating a machine when all are taken. Raises what `create_machine` raises."""
    while True:
        with pool_lock(settings.project_id):
            found = _take_free_slot(settings, run)
            if found is None:
                return_later = _begin(settings, run)
        if found is None:
            return _create(compute, *return_later)
        folder, descriptor = found
        machine = _wait_for(folder)
        if machine is not None and runs(compute, machine):
            return Slot(folder, machine, descriptor)
        os.close(descriptor)
        if machine is not None:
            folder.remove()  # the provider took it away, with everything on it


def rejoin(compute: Compute, project: str, name: str) -> Slot:
    """Take a slot on a certain machine. Raises `SandboxLostError` when it is gone or was created on another computer."""
    folder = MachineFolder(machines_folder(project) / name)
    machine = folder.machine()
    if machine is None or not runs(compute, machine):
        raise SandboxLostError(f"the machine {name} is gone, or unknown on this computer", subject=name)
    descriptor = folder.free_slot()
    if descriptor is None:  # others hold all slots, and keep the machine alive
        descriptor = os.open(folder.path / "machine.json", os.O_RDONLY)
    return Slot(folder, machine, descriptor)


def runs(compute: Compute, machine: Machine) -> bool:
    """Return whether the provider says that a machine runs."""
    instance = compute.get(machine.zone, machine.name)
    return instance is not None and instance.status in ALIVE


def _take_free_slot(settings: GCPSettings, run: str) -> tuple[MachineFolder, int] | None:
    for folder in known_machines(settings.project_id):
        wanted = folder.wanted
        if (wanted.run, wanted.settings) == (run, settings) and not folder.failed:
            descriptor = folder.free_slot()
            if descriptor is not None:
                return folder, descriptor
    return None


def _begin(settings: GCPSettings, run: str) -> tuple[MachineFolder, int, int]:
    wanted = Wanted(name=new_name(), run=run, settings=settings)
    folder = MachineFolder(machines_folder(settings.project_id) / wanted.name)
    folder.path.mkdir(mode=0o700)
    creating = folder.lock("creating", wait=True)
    slot = folder.lock("slot-0", wait=True)
    assert creating is not None
    assert slot is not None
    write_model(folder.path / "wanted.json", wanted)  # last, because now others see the machine
    return folder, creating, slot


def _create(compute: Compute, folder: MachineFolder, creating: int, slot: int) -> Slot:
    wanted = folder.wanted
    start_janitor(folder)  # before there is a machine to delete
    try:
        machine = create_machine(compute, wanted.settings, wanted.run, wanted.name)
        folder.write(machine)
        return Slot(folder, machine, slot)
    except BaseException:
        # An interrupted request may still create the machine. The janitor deletes it once more, and then the folder.
        folder.fail()
        os.close(slot)
        raise
    finally:
        os.close(creating)


def _wait_for(folder: MachineFolder) -> Machine | None:
    """Wait for the creator of a machine and return the machine; `None` when the creation failed."""
    descriptor = folder.lock("creating", wait=True, shared=True)
    if descriptor is not None:
        os.close(descriptor)
    return folder.machine()


def start_janitor(folder: MachineFolder) -> None:
    """Start the process that finally deletes the machine, whatever happens to this one."""
    # Through a shell that ends at once, so that the janitor is not our child and Ctrl-C does not reach it.
    command = [sys.executable, "-m", "cooperbench.environments.gcp.janitor", str(folder.path)]
    script = '"$@" </dev/null >/dev/null 2>&1 &'
    subprocess.run(["sh", "-c", script, "sh", *command], start_new_session=True, check=True)
