"""Processes of a container, each with its stdin and stdout."""

from typing import TYPE_CHECKING

from cooperbench.environments.docker.hijack import STDOUT, Attached
from cooperbench.errors import TransportError

if TYPE_CHECKING:
    from cooperbench.environments.docker.transport import DockerTransport


class ContainerStream:
    """A process with its stdin and stdout, which closing the connection does not end. `early` is output that was read before."""

    def __init__(self, attached: Attached, early: bytes) -> None:
        self._attached = attached
        self._early = early

    def read(self, size: int) -> bytes:
        """Block for at most `size` bytes; empty at the end."""
        if self._early:
            data, self._early = self._early[:size], self._early[size:]
            return data
        try:
            while True:
                kind, data = self._attached.receive(size)
                if kind == STDOUT:
                    return data
        except TransportError:
            return b""

    def write(self, data: bytes) -> None:
        """Write all. Raises `TransportError`."""
        self._attached.send(data)

    def close(self) -> None:
        """Close both ends."""
        self._attached.close()


class DockerStream(ContainerStream):
    """A process that an exec has started, with its pid in the container."""

    def __init__(
        self, transport: "DockerTransport", attached: Attached, exec_id: str, process: int, early: bytes
    ) -> None:
        super().__init__(attached, early)
        self._transport = transport
        self._exec_id = exec_id
        self._process = process

    def close(self) -> None:
        """Close both ends and hang up on the process, unless it or the container is gone."""
        super().close()
        self._transport.hang_up(self._exec_id, self._process)
