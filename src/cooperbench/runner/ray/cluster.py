"""The cluster, and an actor on each of its nodes. The only module that imports Ray."""

import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from tempfile import TemporaryFile
from typing import Any, NamedTuple

# Ray tries 20 times, a second each, where a cluster wants another token; that somebody listens is known by then.
os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "8")

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cooperbench.errors import UsageError
from cooperbench.runner.ray.messages import NodeMessage, Refusal
from cooperbench.runner.ray.node import NodeActor
from cooperbench.runner.ray.shares import RESOURCE

_PORT_SECONDS = 5.0
_START = "ray start --head, and on every other node ray start --address HEAD:6379"
_TOKEN = "if it was started with RAY_AUTH_MODE=token, set that here, too, and its token in RAY_AUTH_TOKEN or ~/.ray/auth_token"


class ClusterNode(NamedTuple):
    """A living node that offers sandboxes."""

    id: str
    name: str
    sandboxes: int


class Heard(NamedTuple):
    """A message, and whose."""

    claimant: "NodeClaimant"
    message: NodeMessage


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to a cluster within the block. Raises `UsageError` for the reasons why that fails."""
    if ray.is_initialized():
        yield
        return
    address = _checked(address)
    with _captured_errors() as printed:
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, logging_level="error")
        except (ConnectionError, RayError, RuntimeError, ValueError) as error:
            raise _refused(address, f"{error} {printed()}") from error
    # Else losses are printed to standard output, where facts go. Ray's debugger has this switch, `init` does not.
    ray._private.worker._worker_logs_enabled = False
    try:
        yield
    finally:
        ray.shutdown()


def living_nodes() -> list[ClusterNode]:
    """List the nodes that offer sandboxes."""
    return [
        ClusterNode(
            node["NodeID"], node.get("NodeName") or node["NodeManagerAddress"], int(node["Resources"][RESOURCE])
        )
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get(RESOURCE, 0) >= 1
    ]


def _checked(address: str) -> str:
    """Return the address to connect to. Raises `UsageError` where nobody listens: Ray itself tries for minutes."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    if address == "auto":
        return address
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise UsageError(
            f"{address!r} is not the address of a Ray cluster",
            subject=address,
            hint="--ray-address HOST:6379, the head's; or run this on a node of the cluster with --ray-address auto",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PORT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster answers at {address}: {error}", subject=address, hint=_START) from error
    return address


@contextmanager
def _captured_errors() -> Iterator[Callable[[], str]]:
    """Keep off the terminal what Ray's core prints while it connects, line after line; yield how to read it."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: os.pread(file.fileno(), 100_000, 0).decode(errors="replace")
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _refused(address: str, said: str) -> UsageError:
    """Return why a cluster cannot be used, from the words of Ray, whose exceptions do not tell."""
    if "find any running Ray" in said:
        hint = f"name its head with --ray-address HOST:6379, or start one: {_START}"
        return UsageError("no Ray cluster runs on this machine", subject=address, hint=hint)
    if "ersion mismatch" in said:
        hint = "use the same versions of Python and Ray on all nodes and here"
        return UsageError(f"this process and the cluster differ: {_one_line(said)}", subject=address, hint=hint)
    if "AuthToken" in said or "uthentication" in said or "RAY_AUTH" in said:
        which = "another token" if os.environ.get("RAY_AUTH_MODE") == "token" else "a token"
        return UsageError(f"the Ray cluster at {address} asks for {which}", subject=address, hint=_TOKEN)
    hint = f"ray status --address {address}; if it was started with a token, {_TOKEN}"
    return UsageError(f"the Ray cluster at {address} does not answer: {_one_line(said)}", subject=address, hint=hint)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


class NodeClaimant:
    """The claimant on one node, as its driver sees it."""

    def __init__(self, node: ClusterNode, share: int, members: int) -> None:
        """Have an actor made on the node, which waits for free sandboxes if others use them."""
        self.node = node
        self.share = share
        self.token = secrets.token_hex(8)
        self.stopped = False
        actor = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0, concurrency_groups={"control": 2})(NodeActor)
        self._actor: Any = actor.options(
            resources={RESOURCE: share * members},
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        ).remote()
        self._refusal: Any = None

    def ask(self, version: str, folder: str, mark: str) -> None:
        """Ask whether the node can take part."""
        self._refusal = self._actor.check.remote(version, folder, mark)

    def refusal(self, timeout: float | None) -> Refusal | None:
        """Return why the node cannot take part. Raises `TimeoutError` while its sandboxes are others'."""
        try:
            answer: Refusal | None = ray.get(self._refusal, timeout=timeout)
        except GetTimeoutError as error:
            raise TimeoutError from error
        except RayError as error:
            said = _one_line(str(getattr(error, "cause", None) or error))
            if "No module named 'cooperbench" in said:
                return Refusal(
                    "has no CooperBench of this version", "install it for the Python that runs Ray on all nodes"
                )
            return Refusal(f"cannot start its actor: {said}", "ray status shows the cluster")
        return answer

    def begin(
        self, work: bytes, environment: dict[str, str], folder: str, log: str, heard: "SimpleQueue[Heard]"
    ) -> None:
        """Start the claimant. What it says, and how it ends, goes into `heard`."""
        arguments = (work, environment, folder, log)
        threading.Thread(target=self._listen, args=(arguments, heard), name=self.node.name, daemon=True).start()

    def stop(self) -> None:
        """Have the claimant end in order. Does not wait."""
        self.stopped = True
        with suppress(RayError):
            self._actor.stop.options(concurrency_group="control").remote()

    def kill(self) -> None:
        """End actor and claimant at once; no harm where they have ended."""
        with suppress(RayError):
            ray.kill(self._actor)

    def _listen(self, arguments: tuple[object, ...], heard: "SimpleQueue[Heard]") -> None:
        for message in self._messages(arguments):
            heard.put(Heard(self, message))
            if message.is_last:
                return

    def _messages(self, arguments: tuple[object, ...]) -> Iterator[NodeMessage]:
        """Yield what the claimant says; the last message tells how it ended."""
        try:
            if refusal := self.refusal(None):
                yield NodeMessage(kind="refused", text=f"it {refusal.text}", hint=refusal.hint)
                return
            for line in self._actor.work.options(num_returns="streaming").remote(*arguments):
                yield NodeMessage.model_validate_json(ray.get(line))
            yield NodeMessage(kind="lost", text="its process ended without a word")
        except RayError as error:
            yield NodeMessage(kind="lost", text=type(error).__name__)
