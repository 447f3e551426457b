"""Engines on other machines: one `ssh` process forwards the engine's socket to a local one, and everything goes through it."""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from cooperbench.errors import SandboxCredentialsError, SandboxError, TransportError

READY_SECONDS = 30.0


def forwarded(address: str) -> str:
    """The local address of a forwarded `ssh://[user@]host[:port][/path/of/socket]`.

    Uses the `ssh` program with the user's own configuration and agent, and never asks for a password. Raises
    `SandboxCredentialsError` or `TransportError`.
    """
    return _forwarded(address, os.getpid())


@cache
def _forwarded(address: str, _process: int) -> str:
    parts = urlsplit(address)
    if shutil.which("ssh") is None:
        raise SandboxError(
            "engines on other machines need the ssh program", subject=address, hint="install OpenSSH's client"
        )
    folder = Path(tempfile.mkdtemp(prefix="cooperbench-ssh-"))
    local = folder / "engine.sock"
    remote = parts.path if len(parts.path) > 1 else "/var/run/docker.sock"
    port = ["-p", str(parts.port)] if parts.port else []
    destination = f"{parts.username}@{parts.hostname}" if parts.username else str(parts.hostname)
    argv = ["ssh", "-N", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=15"]
    process = subprocess.Popen(
        [*argv, *port, "-L", f"{local}:{remote}", destination],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; the tunnel is needed for cleaning up
    )
    atexit.register(_end, process, folder)
    deadline = time.monotonic() + READY_SECONDS
    while not local.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            said = (process.communicate()[1] or b"").decode("utf-8", "replace").strip()
            if "Permission denied" in said or "Host key verification" in said:
                raise SandboxCredentialsError(
                    f"ssh to {destination}: {said}", subject=address, hint=f"ssh {destination}"
                )
            raise TransportError(f"ssh to {destination} failed: {said or 'no answer'}", subject=address)
        time.sleep(0.02)
    return f"unix://{local}"


def _end(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    process.terminate()
    process.wait()
    if process.stderr is not None:
        process.stderr.close()
    shutil.rmtree(folder, ignore_errors=True)
