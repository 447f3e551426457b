"""What stands here against what a library would do in its place.

    python benchmarks/libraries.py locks                     fcntl.flock against filelock
    python benchmarks/libraries.py attach [--image NAME]     docker/hijack.py against docker-py's attached socket
    python benchmarks/libraries.py ssh ssh://USER@HOST       ssh.py against asyncssh's own forwarding

`locks` needs `pip install filelock`. `attach` measures through a relay that holds answers back for 0.15 s, as a slow connection
does. `ssh` cuts the connection before each call. The results are discussed in docs/design/environments.md and cloud-backends.md.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import socket
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cooperbench.environments import ssh
from cooperbench.environments.background import run_async
from cooperbench.environments.docker import hijack
from cooperbench.environments.docker.engine import DockerEngine, connect
from cooperbench.environments.locks import locked

LATENCY = 0.15


def take(kind: str, path: Path, seconds: float, spent: Any) -> None:
    from filelock import FileLock

    begun = time.process_time()
    for _ in range(5):
        with locked(path) if kind == "flock" else FileLock(path):
            time.sleep(seconds)
    spent.put(time.process_time() - begun)


def locks() -> None:
    import filelock  # noqa: F401 - once, and not in each process

    fork = multiprocessing.get_context("fork")
    for number in (1, 20, 100):
        for kind in ("flock", "filelock"):
            with tempfile.TemporaryDirectory() as folder:
                spent = fork.Queue()
                arguments = (kind, Path(folder) / "lock", 0.01, spent)
                processes = [fork.Process(target=take, args=arguments) for _ in range(number)]
                begun = time.perf_counter()
                for process in processes:
                    process.start()
                processor = sum(spent.get() for _ in processes)
                for process in processes:
                    process.join()
                seconds = time.perf_counter() - begun
            print(
                f"{number:3} processes take it 5 times for 10 ms: {kind:8} {seconds:5.2f} s, processor {processor:.2f} s"
            )


def relay(path: Path, target: str) -> None:
    """Pass a Unix socket on, with answers held back: what the other side sends in that time arrives together."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
        while data := await reader.read(1 << 16):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(latency):
                    while more := await reader.read(1 << 16):
                        data += more
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(target)
        with contextlib.suppress(OSError):
            await asyncio.gather(copy(reader, far_writer, 0), copy(far_reader, writer, LATENCY))
        for end in (far_writer, writer):
            end.close()

    run_async(asyncio.start_unix_server(serve, path))


def ours(engine: DockerEngine, exec_id: str) -> bytes:
    attached = hijack.start(engine, exec_id)
    pieces = list(iter(lambda: attached.receive(1 << 16)[1], b""))
    attached.close()
    return b"".join(pieces)


def public(engine: DockerEngine, exec_id: str) -> bytes:
    """By the documented interface."""
    from docker.utils.socket import frames_iter

    attached: Any = engine.client.api.exec_start(exec_id, socket=True)
    with contextlib.closing(attached._response):
        return b"".join(data for _, data in frames_iter(attached, tty=False))


def private(engine: DockerEngine, exec_id: str) -> bytes:
    """By the buffer that docker-py drops, through private attributes of docker-py, urllib3 and http.client."""
    attached: Any = engine.client.api.exec_start(exec_id, socket=True)
    with contextlib.closing(attached._response) as response:
        buffer = response.raw._fp.fp
        output = b""
        while header := buffer.read(8):
            output += buffer.read(struct.unpack(">BxxxL", header)[1])
        return output


def attach(image: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "docker.sock"
        relay(path, connect(None).address.removeprefix("unix://"))
        engine = connect(f"unix://{path}")
        container = connect(None).client.containers.run(image, ["600"], entrypoint=["sleep"], detach=True)
        try:
            for name, run in (("hijack.py", ours), ("docker-py", public), ("docker-py, private", private)):
                execs = [engine.client.api.exec_create(container.id, ["echo", "hello"])["Id"] for _ in range(20)]
                outputs = [run(engine, exec_id) for exec_id in execs]
                print(f"{name:18} lost the output of {outputs.count(b'')} of {len(outputs)} commands")
        finally:
            container.remove(force=True)


class Forwarded(ssh.ForwardedSocket):
    """The same by `forward_local_path`: asyncssh listens as long as its connection lives, and we connect again after."""

    async def _open(self) -> None:
        self._turns = asyncio.Lock()
        await self._listen()
        self._again = asyncio.ensure_future(self._keep())

    async def _listen(self) -> None:
        await (await self._connected()).forward_local_path(str(self.path), self._remote)

    async def _keep(self) -> None:
        while True:
            await self._connection.wait_closed()
            self.path.unlink(missing_ok=True)
            await self._listen()

    async def _drop(self) -> None:
        self._connection.abort()

    async def _close(self) -> None:
        self._again.cancel()
        await self._drop()


def ping(path: Path) -> float:
    """Seconds of one call of the engine. Raises `OSError`."""
    begun = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    if b"200 OK" not in answer:
        raise OSError("cut off")
    return time.perf_counter() - begun


def fails(forwarded: ssh.ForwardedSocket) -> bool:
    forwarded.cut()
    try:
        ping(forwarded.path)
    except OSError:
        return True
    finally:
        time.sleep(0.5)
    return False


def tunnels(address: str) -> None:
    target = ssh.SshTarget.parse(address)
    both = {"ssh.py": ssh.ForwardedSocket(target), "asyncssh": Forwarded(target)}
    for forwarded in both.values():
        forwarded.open()
    rounds = [{name: ping(forwarded.path) for name, forwarded in both.items()} for _ in range(50)]
    for name, forwarded in both.items():
        milliseconds = 1000 * statistics.median(times[name] for times in rounds)
        failed = sum(fails(forwarded) for _ in range(40))
        print(f"{name:9} {milliseconds:.0f} ms a call; {failed} of 40 calls directly after a cut failed")
        forwarded.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("locks", "attach", "ssh"))
    parser.add_argument("address", nargs="?")
    parser.add_argument("--image", default="cooperbench-test/busybox")
    given = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "locks": locks,
        "attach": lambda: attach(given.image),
        "ssh": lambda: tunnels(given.address),
    }
    parts[given.what]()


if __name__ == "__main__":
    main()
