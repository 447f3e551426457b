"""The stand-in as a test uses it: start it, look into it, break it."""

from types import TracebackType
from typing import Any, Self

import grpclib.events
from grpclib import GRPCError, Status
from grpclib.server import Server
from modal_proto import api_pb2

from modal._utils.grpc_utils import custom_detail_codec
from tests.standins.background import BackgroundLoop
from tests.standins.modal.control import Control
from tests.standins.modal.fleet import Fleet
from tests.standins.modal.machines import Machine
from tests.standins.modal.router import Router
from tests.standins.modal.service import Calls, Fault, token_is_valid
from tests.standins.relay import Relay

TOKEN_ID, TOKEN_SECRET = "ak-standin", "as-standin"


class ModalStandin:
    """A Modal workspace on loopback. `environment` is what the SDK needs to find it and to be let in."""

    def __init__(self, machine: Machine, *, token_seconds: float = 600.0) -> None:
        self.calls = Calls()
        self._background = BackgroundLoop("modal-standin")
        self._machine = machine
        self._token_seconds = token_seconds

    @property
    def environment(self) -> dict[str, str]:
        return {
            "MODAL_SERVER_URL": self._control.url,
            "MODAL_TOKEN_ID": TOKEN_ID,
            "MODAL_TOKEN_SECRET": TOKEN_SECRET,
            "MODAL_IMAGE_BUILDER_VERSION": "2025.06",
        }

    @property
    def running(self) -> list[str]:
        """Ids of sandboxes that have not ended."""
        return [sandbox.id for sandbox in self.fleet.sandboxes.values() if sandbox.result is None]

    def fail_next(
        self, rpc: str, status: Any, message: str, *, times: int = 1, retry_after: float | None = None
    ) -> None:
        """Answer the next calls of an RPC with an error."""
        self.calls.faults[rpc] += [Fault(status, message, retry_after)] * times

    def cut_connections(self) -> int:
        """Break every connection of the SDK."""

        async def cut() -> int:
            return self._relay.cut()

        return self._background.run(cut())

    def kill_sandbox(self, sandbox_id: str) -> None:
        """End a sandbox behind its owner's back."""
        status = api_pb2.GenericResult.GENERIC_STATUS_TERMINATED
        self._background.run(self.fleet.end(self.fleet.find(sandbox_id), status))

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._background.run(self._stop())
        self._background.stop()

    async def _start(self) -> None:
        self.fleet = Fleet(self._machine, self._token_seconds)
        await self.fleet.volumes.start()
        self._control = Control(self.calls, self.fleet)
        self._server = Server([self._control, Router(self.calls, self.fleet)], status_details_codec=custom_detail_codec)
        grpclib.events.listen(self._server, grpclib.events.RecvRequest, _check_credentials)
        await self._server.start("127.0.0.1", 0)
        self._relay = await Relay(self._server._server.sockets[0].getsockname()[1]).start()
        self._control.url = f"http://127.0.0.1:{self._relay.port}"

    async def _stop(self) -> None:
        await self.fleet.end_all()
        await self.fleet.volumes.stop()
        await self._relay.stop()
        self._server.close()


async def _check_credentials(event: Any) -> None:
    metadata = event.metadata
    if event.method_name.startswith("/modal.client."):
        if (metadata.get("x-modal-token-id"), metadata.get("x-modal-token-secret")) != (TOKEN_ID, TOKEN_SECRET):
            raise GRPCError(Status.UNAUTHENTICATED, "Token ID or secret is wrong")
    elif not token_is_valid((metadata.get("authorization") or "").removeprefix("Bearer ")):
        raise GRPCError(Status.UNAUTHENTICATED, "the token has expired")
