"""What runs the stand-in's sandboxes: containers of the Docker engine, or plain processes in a scratch folder."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from typing import Protocol

from modal_proto import api_pb2

from tests.standins.modal.sandboxes import Exec, Sandbox

LABEL = "cooperbench-standin=modal"


class Machine(Protocol):
    """Runs sandboxes for the stand-in."""

    async def build(self, commands: list[str], bases: dict[str, str]) -> str: ...
    async def start(self, sandbox: Sandbox, image: str) -> None: ...
    async def exec(self, sandbox: Sandbox, run: Exec) -> Process: ...
    async def kill_exec(self, sandbox: Sandbox, run: Exec) -> None: ...
    async def exit_code(self, sandbox: Sandbox) -> int | None: ...
    async def stop(self, sandbox: Sandbox) -> None: ...
    async def snapshot(self, sandbox: Sandbox) -> str: ...


async def command(*argv: str, stdin: bytes | None = None) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=DEVNULL if stdin is None else PIPE, stdout=PIPE, stderr=STDOUT
    )
    out, _ = await process.communicate(stdin)
    return process.returncode or 0, out


class Containers:
    """A container for each sandbox; the layers of an image are a `docker build`."""

    def __init__(self) -> None:
        self._snapshots: set[str] = set()

    async def build(self, commands: list[str], bases: dict[str, str]) -> str:
        lines = [self._on_base(line, bases) for line in commands]
        base = lines[0].removeprefix("FROM ")
        code, _ = await command("docker", "image", "inspect", "--format", "{{.Id}}", base)
        if code:
            raise RuntimeError(f"manifest for {base} not found")  # the stand-in never pulls
        if len(lines) == 1:
            return base
        code, out = await command("docker", "build", "--quiet", "-", stdin="\n".join(lines).encode())
        if code:
            raise RuntimeError(out.decode(errors="replace"))
        return out.decode().strip().splitlines()[-1]

    def _on_base(self, line: str, bases: dict[str, str]) -> str:
        if not line.upper().startswith("FROM "):
            return line
        return "FROM " + bases.get(line[5:].strip(), line[5:].strip())

    async def start(self, sandbox: Sandbox, image: str) -> None:
        definition = sandbox.definition
        _, out = await command("docker", "image", "inspect", "--format", "{{json .Config.Entrypoint}}", image)
        # `docker commit` bakes in the entrypoint that we gave; Modal's snapshots do not.
        entrypoint = [] if image in self._snapshots else json.loads(out) or []
        argv = [*entrypoint, *(list(definition.entrypoint_args) or ["sleep", "172800"])]
        flags = ["--init", "--label", LABEL, "--entrypoint", argv[0]]
        if definition.workdir:
            flags += ["--workdir", definition.workdir]
        if definition.network_access.network_access_type == api_pb2.NetworkAccess.BLOCKED:
            flags += ["--network", "none"]
        if definition.resources.milli_cpu_max:
            flags += ["--cpus", str(definition.resources.milli_cpu_max / 1000)]
        if definition.resources.memory_mb_max:
            flags += ["--memory", f"{definition.resources.memory_mb_max}m"]
        for target, (source, read_only) in sandbox.folders.items():
            flags += ["--volume", f"{source}:{target}{':ro' if read_only else ''}"]
        for name, value in sandbox.env.items():
            flags += ["--env", f"{name}={value}"]
        code, out = await command("docker", "run", "--detach", *flags, image, *argv[1:])
        if code:
            raise RuntimeError(out.decode(errors="replace"))
        sandbox.place = out.decode().strip().splitlines()[-1]

    async def exec(self, sandbox: Sandbox, run: Exec) -> Process:
        flags = [word for name, value in run.env.items() for word in ("--env", f"{name}={value}")]
        if run.workdir:
            flags += ["--workdir", run.workdir]
        script = f'echo $$ >/tmp/.standin-{run.id}; exec "$@"'
        return await asyncio.create_subprocess_exec(
            *("docker", "exec", "--interactive", *flags, sandbox.place, "sh", "-c", script, "sh", *run.argv),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def kill_exec(self, sandbox: Sandbox, run: Exec) -> None:
        """Kill that process only, as a worker does."""
        await command("docker", "exec", sandbox.place, "sh", "-c", f"kill -9 $(cat /tmp/.standin-{run.id})")

    async def exit_code(self, sandbox: Sandbox) -> int | None:
        form = "{{.State.Running}} {{.State.ExitCode}}"
        code, out = await command("docker", "inspect", "--format", form, sandbox.place)
        if code:
            return 137
        running, exit_code = out.decode().split()
        return None if running == "true" else int(exit_code)

    async def stop(self, sandbox: Sandbox) -> None:
        await command("docker", "rm", "--force", "--volumes", sandbox.place)

    async def snapshot(self, sandbox: Sandbox) -> str:
        code, out = await command("docker", "commit", sandbox.place)
        if code:
            raise RuntimeError(out.decode(errors="replace"))
        image = out.decode().strip()
        self._snapshots.add(image)
        return image


class Processes:
    """Plain processes of this machine, in a scratch folder: no image, no isolation; for numbers of sandboxes."""

    async def build(self, commands: list[str], bases: dict[str, str]) -> str:
        return "processes"

    async def start(self, sandbox: Sandbox, image: str) -> None:
        sandbox.place = tempfile.mkdtemp(prefix="modal-standin-")

    async def exec(self, sandbox: Sandbox, run: Exec) -> Process:
        process = await asyncio.create_subprocess_exec(
            *run.argv,
            cwd=sandbox.place,
            env={**os.environ, **sandbox.env, **run.env},
            start_new_session=True,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        sandbox.processes.append(process)
        return process

    async def kill_exec(self, sandbox: Sandbox, run: Exec) -> None:
        assert run.process is not None
        run.process.kill()

    async def exit_code(self, sandbox: Sandbox) -> int | None:
        return None

    async def stop(self, sandbox: Sandbox) -> None:
        for process in sandbox.processes:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        shutil.rmtree(sandbox.place, ignore_errors=True)

    async def snapshot(self, sandbox: Sandbox) -> str:
        raise RuntimeError("processes have no file system of their own")
