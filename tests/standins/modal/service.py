"""What both gRPC services of the stand-in have in common: counted calls, injected faults, and RPCs that are not written."""

import base64
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from grpclib import GRPCError, Status
from modal_proto import api_pb2

Handler = Callable[[Any, Any], Awaitable[None]]


class Fault(NamedTuple):
    """An answer to give instead of the real one."""

    status: Any
    message: str
    retry_after: float | None = None

    def error(self) -> Exception:
        details = None if self.retry_after is None else [api_pb2.RPCRetryPolicy(retry_after_secs=self.retry_after)]
        error: Exception = GRPCError(self.status, self.message, details)
        return error


class Calls:
    """Every call by name, and the faults that wait for the next calls of a name."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.unwritten: Counter[str] = Counter()
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def record(self, name: str) -> None:
        self.count[name] += 1
        self.times[name].append(time.monotonic())

    def next_fault(self, name: str) -> None:
        if self.faults[name]:
            raise self.faults[name].pop(0).error()


class Service:
    """Base of a service: `generated` is the SDK's own list of RPCs; those that the class does not have are refused and counted."""

    generated: Any

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def __mapping__(self) -> dict[str, Any]:
        mapping: dict[str, Any] = self.generated.__mapping__(self)
        return mapping

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        async def unwritten(stream: Any) -> None:
            self.calls.unwritten[name] += 1
            raise GRPCError(Status.UNIMPLEMENTED, f"{name} is not written in the stand-in")

        return unwritten


def rpc(answer: Callable[[Any, Any], Awaitable[Any]]) -> Handler:
    """Make a function from request to answer an RPC of the same name."""

    async def handler(self: Any, stream: Any) -> None:
        request = await stream.recv_message()
        self.calls.record(answer.__name__)
        self.calls.next_fault(answer.__name__)
        await stream.send_message(await answer(self, request))

    return handler


def token(seconds: float) -> str:
    """A JSON web token of which clients read nothing but the end of its life."""

    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part({'exp': time.time() + seconds})}.signature"


def token_is_valid(text: str) -> bool:
    try:
        part = text.split(".")[1]
        content = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return False
    return bool(content["exp"] > time.time())
