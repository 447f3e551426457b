"""A virtual machine of the stand-in: a container with sshd and a guest agent's work done by hand."""

import asyncio
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path
from shutil import rmtree, which
from typing import Any

from tests.standins.gce.engine_socket import DOCKER_GROUP, EngineSocket
from tests.standins.relay import Relay

IMAGE = "cooperbench-test/vm:latest"
LABEL = "cooperbench-standin=gce"


async def command(*argv: str, stdin: str | None = None) -> str:
    """Run a program and return what it says. Raises `RuntimeError`."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=DEVNULL if stdin is None else PIPE, stdout=PIPE, stderr=STDOUT
    )
    out, _ = await process.communicate(None if stdin is None else stdin.encode())
    if process.returncode:
        raise RuntimeError(f"{argv[:4]}: {out.decode(errors='replace')}")
    return out.decode(errors="replace")


class VirtualMachine:
    """One machine: `resource` is what the API shows, `address` a loopback address of its own with sshd at port 22."""

    def __init__(self, resource: dict[str, Any], address: str) -> None:
        self.resource = resource
        self.address = address
        self.host_keys: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.relay: Relay | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="gce-"))
        self._engine = EngineSocket(self._folder / "docker.sock")
        self._container = f"standin-{resource['name']}"

    @property
    def metadata(self) -> dict[str, str]:
        return {item["key"]: item["value"] for item in self.resource.get("metadata", {}).get("items", [])}

    async def power_on(self) -> None:
        """Start the container; nobody can log in yet."""
        await self._engine.start()
        docker = which("docker")
        flags = ["--label", LABEL, "--name", self._container, "--hostname", self.resource["name"], "--init"]
        mounts = ["--volume", f"{self._engine.path}:/var/run/docker.sock", "--volume", f"{docker}:/usr/bin/docker:ro"]
        await command(
            *("docker", "run", "--detach", *flags, *mounts, "--cap-add", "NET_ADMIN", "--publish", "127.0.0.1::22"),
            *("--rm", "--entrypoint", "sleep", IMAGE, "7200"),  # a killed test run leaves it for two hours at most
        )

    async def boot(self) -> None:
        """What the guest agent does: users with their keys, host keys, the start-up script."""
        script = f"set -e; ssh-keygen -A >/dev/null; mkdir -p /run/sshd\ngroupadd --force --gid {DOCKER_GROUP} docker\n"
        for line in self.metadata.get("ssh-keys", "").splitlines():
            user, _, key = line.partition(":")
            script += (
                f"useradd --create-home --shell /bin/bash {user}; mkdir -p ~{user}/.ssh\n"
                f"echo '{key}' >>~{user}/.ssh/authorized_keys; chown -R {user} ~{user}/.ssh; chmod 700 ~{user}/.ssh\n"
            )
        await self.inside(script + "/usr/sbin/sshd\n")
        published = await command("docker", "port", self._container, "22/tcp")
        self.relay = await Relay(int(published.strip().rsplit(":", 1)[1])).start(self.address, 22)
        if self.metadata.get("enable-guest-attributes", "").upper() == "TRUE":
            keys = await self.inside("cat /etc/ssh/ssh_host_*_key.pub")
            self.host_keys = [(kind, key) for kind, key, *_ in (line.split() for line in keys.splitlines())]
        if "startup-script" in self.metadata:
            self.said.append(await self.inside(self.metadata["startup-script"]))

    async def inside(self, script: str) -> str:
        """Run a script as root in the machine."""
        return await command("docker", "exec", "--interactive", self._container, "sh", "-s", stdin=script)

    async def power_off(self) -> None:
        """End the machine and everything on it."""
        if self.relay is not None:
            await self.relay.stop()
        await self._engine.stop()
        await command("docker", "rm", "--force", "--volumes", self._container)
        rmtree(self._folder, ignore_errors=True)
