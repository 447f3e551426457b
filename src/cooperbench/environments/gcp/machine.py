"""Creation of one virtual machine, and the wait until it is ready."""

import re
import time
import uuid
from hashlib import sha256
from typing import Any

from cooperbench.environments.gcp.compute import Compute, compute_sdk
from cooperbench.environments.gcp.settings import IMAGE, GCPSettings
from cooperbench.environments.limiter import CreationLimiter, create_patiently
from cooperbench.environments.ssh import ForwardedSocket, SshTarget
from cooperbench.errors import CapacityError, SandboxError, TransportError
from cooperbench.records import Record

USER = "cooperbench"
READY = "/tmp/cooperbench-ready"
BOOT_SECONDS = 300.0
POLL_SECONDS = 0.5
CREATION_INTERVAL = 0.5
PATIENCE = 600.0
TUNNEL = "gcloud compute start-iap-tunnel %h %p --listen-on-stdin --quiet --project={project} --zone={zone}"
RUN_METADATA = "cooperbench-run"

# Containers may ask 169.254.169.254 for names (it is the machine's DNS server), but not for metadata.
STARTUP = f"""#!/bin/sh
until docker info >/dev/null 2>&1; do sleep 1; done
until id {USER} >/dev/null 2>&1; do sleep 1; done
iptables -N DOCKER-USER 2>/dev/null
iptables -I DOCKER-USER -d 169.254.169.254/32 -p tcp --dport 80 -j DROP || exit 1
usermod -aG docker {USER} && touch {READY}
"""


class Machine(Record):
    """A machine that runs, with what is needed to log in."""

    project: str
    zone: str
    name: str
    run: str
    address: str
    key: str
    known_hosts: str
    proxy_command: str | None = None

    @property
    def target(self) -> SshTarget:
        """The address to connect to, with the host keys that the provider reports."""
        return SshTarget(
            self.address,
            user=USER,
            key=self.key,
            known_hosts=self.known_hosts,
            proxy_command=self.proxy_command,
        )


def new_name() -> str:
    """Return a name for a new machine."""
    return f"cooperbench-{uuid.uuid4().hex[:12]}"


def label_of(run: str) -> str:
    """Return a run's name as a label value: lower case, and different for different runs."""
    plain = re.sub(r"[^-_a-z0-9]", "-", run.lower())[:50]
    return plain if plain == run else f"{plain}-{sha256(run.encode()).hexdigest()[:8]}"


def create_machine(compute: Compute, settings: GCPSettings, run: str, name: str) -> Machine:
    """Create a machine in the first zone that has capacity and wait until its engine can be reached.

    Raises `CapacityError` when no zone has capacity, `QuotaError`, `SandboxCredentialsError`. Nothing is left after an error.
    """
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519", comment=USER)
    public = key.export_public_key().decode().strip()
    limiter = CreationLimiter("gcp", interval=CREATION_INTERVAL)
    try:
        zone = create_patiently(lambda: _place(compute, settings, run, name, public), limiter, patience=PATIENCE)
        machine = _reachable(compute, settings, run, name, zone, key.export_private_key().decode())
        _wait_for_engine(machine)
    except BaseException:
        for zone in settings.zones:
            compute.delete(zone, name, wait=False)
        raise
    return machine


def _place(compute: Compute, settings: GCPSettings, run: str, name: str, public_key: str) -> str:
    full: CapacityError | None = None
    for zone in settings.zones:
        try:
            compute.create(zone, describe(settings, run, name, zone, public_key))
            return zone
        except CapacityError as error:
            full = error
    raise CapacityError(
        f"no zone has capacity: {', '.join(settings.zones)} ({full.message if full else 'none named'})",
        subject=settings.machine_type,
    )


def describe(settings: GCPSettings, run: str, name: str, zone: str, public_key: str) -> Any:
    """Return the machine in the form that the API takes."""
    sdk = compute_sdk()
    metadata = {
        "ssh-keys": f"{USER}:{public_key}",
        "enable-oslogin": "FALSE",
        "block-project-ssh-keys": "TRUE",
        "enable-guest-attributes": "TRUE",
        "startup-script": STARTUP,
        RUN_METADATA: run,
    }
    interface = sdk.NetworkInterface(network=settings.network)
    if not settings.private:
        interface.access_configs = [sdk.AccessConfig(name="External NAT", type_="ONE_TO_ONE_NAT")]
    disk = sdk.AttachedDiskInitializeParams(
        source_image=IMAGE, disk_size_gb=settings.disk_gb, disk_type=f"zones/{zone}/diskTypes/pd-balanced"
    )
    return sdk.Instance(
        name=name,
        machine_type=f"zones/{zone}/machineTypes/{settings.machine_type}",
        labels={"cooperbench": "1", "cooperbench-run": label_of(run)},
        disks=[sdk.AttachedDisk(boot=True, auto_delete=True, initialize_params=disk)],
        network_interfaces=[interface],
        scheduling=sdk.Scheduling(
            max_run_duration=sdk.Duration(seconds=settings.machine_lifetime),
            instance_termination_action="DELETE",
            provisioning_model="SPOT" if settings.spot else "STANDARD",
            automatic_restart=False,
        ),
        service_accounts=[],  # no credentials of the project inside
        metadata=sdk.Metadata(items=[sdk.Items(key=key, value=value) for key, value in metadata.items()]),
    )


def _reachable(compute: Compute, settings: GCPSettings, run: str, name: str, zone: str, key: str) -> Machine:
    deadline = time.monotonic() + BOOT_SECONDS
    instance = compute.get(zone, name)
    if instance is None:
        raise TransportError(f"the machine {name} disappeared during its start", subject=name)
    interface = instance.network_interfaces[0]
    proxy = settings.proxy_command
    if settings.private:
        address = name
        proxy = proxy or TUNNEL.format(project=settings.project_id, zone=zone)
    else:
        address = interface.access_configs[0].nat_i_p
    while not (keys := compute.host_keys(zone, name)):
        _still_time(deadline, name)
    known = "".join(f"{address} {kind} {value}\n" for kind, value in keys)
    return Machine(
        project=compute.project,
        zone=zone,
        name=name,
        run=run,
        address=address,
        key=key,
        known_hosts=known,
        proxy_command=proxy,
    )


def _wait_for_engine(machine: Machine) -> None:
    """Log in until the start-up script has finished. The login itself works some time after the machine runs."""
    deadline = time.monotonic() + BOOT_SECONDS
    socket = ForwardedSocket(machine.target)
    try:
        while True:
            try:
                socket.open()
                # A new login each time: membership of the docker group counts from the next one on.
                code, _ = socket.run(f"test -e {READY} && docker version >/dev/null")
                if code == 0:
                    return
            except SandboxError:
                pass  # logins are refused until the guest has set up its users
            finally:
                socket.close()
            _still_time(deadline, machine.name)
            socket = ForwardedSocket(machine.target)
    finally:
        socket.close()


def _still_time(deadline: float, name: str) -> None:
    if time.monotonic() > deadline:
        raise TransportError(f"the machine {name} was not ready within {BOOT_SECONDS:g} s", subject=name)
    time.sleep(POLL_SECONDS)
