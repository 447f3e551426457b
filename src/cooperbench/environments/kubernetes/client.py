"""The only module that makes lightkube's clients. One cluster as its API server shows it.

lightkube reads kubeconfig, logs in and knows the resources. Its own `exec` is not used: it has no streams, gives up at messages
above 64 KiB, and takes no input on servers before Kubernetes 1.30. `channels` has one on the same HTTP client.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from cooperbench.environments.background import run_async
from cooperbench.environments.kubernetes.kubeconfig import find_config
from cooperbench.environments.kubernetes.refusals import our_errors, pause_before_retry
from cooperbench.environments.kubernetes.settings import KubernetesSettings
from cooperbench.errors import MissingExtraError, SandboxCredentialsError, TransportError

if TYPE_CHECKING:
    from lightkube.resources.core_v1 import Pod

T = TypeVar("T")

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
CONNECTIONS = 1000
"""Each running command and stream holds one."""
ATTEMPTS = 10
CALL_SECONDS = 300.0
"""For a call with all of its attempts and pauses."""

_lock = threading.Lock()
_clusters: "dict[tuple[int, str, str], Cluster]" = {}


def lightkube_sdk() -> Any:
    """Import lightkube. Raises `MissingExtraError`."""
    if find_spec("lightkube") is None:
        raise MissingExtraError("the backend 'kubernetes'", "k8s")
    import lightkube

    return lightkube


def connect(settings: KubernetesSettings) -> "Cluster":
    """Return the cluster of a context, one for a process. Raises `MissingExtraError`, `UsageError`, `SandboxCredentialsError`."""
    lightkube_sdk()
    key = (os.getpid(), os.environ.get("KUBECONFIG", ""), settings.context)
    with _lock:
        if key not in _clusters:
            _clusters[key] = Cluster(settings.context)
        return _clusters[key]


class Cluster:
    """An API server with credentials. Safe from several threads; the calls run on the background loop."""

    def __init__(self, context: str) -> None:
        import httpx2
        from lightkube import AsyncClient
        from lightkube.config import client_adapter

        self.config = find_config(context)
        timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        limits = httpx2.Limits(max_connections=CONNECTIONS)
        parameters = client_adapter.ConnectionParams(timeout=timeout)
        with our_errors(self.config.context_name):
            try:
                self._api = AsyncClient(self.config, timeout=timeout)
                self.http = httpx2.AsyncClient(limits=limits, **parameters.httpx_params(self.config))
            except (AssertionError, OSError, ValueError) as error:  # certificates that cannot be read
                raise SandboxCredentialsError(
                    f"the context {self.config.context_name!r} has no usable credentials: {error}",
                    subject=self.config.context_name,
                    hint="log in again, and try: kubectl get pods",
                ) from error

    @property
    def address(self) -> str:
        """URL of the API server."""
        return str(self.config.cluster.server)

    def namespace(self, settings: KubernetesSettings) -> str:
        """Return the namespace of the settings, else the context's."""
        return settings.namespace or str(self.config.namespace)

    def create(self, thing: Any, *, dry_run: bool = False) -> Any:
        """Create a resource in the namespace that it names."""
        name = f"{thing.metadata.name or type(thing).__name__}"
        return self._ask(lambda: self._api.create(thing, dry_run=dry_run), name)

    def find(self, kind: type[T], name: str, namespace: str) -> T | None:
        """Return a resource; `None` when there is none of that name."""
        import httpx2

        async def get() -> Any:
            try:
                return await self._api.get(kind, name, namespace=namespace)
            except httpx2.HTTPStatusError as error:
                if error.response.status_code == 404:
                    return None
                raise

        found: T | None = self._ask(get, name)
        return found

    def delete(self, kind: type[T], name: str, namespace: str) -> None:
        """Delete a resource at once. One that is gone is fine."""
        import httpx2

        async def delete() -> None:
            try:
                await self._api.delete(kind, name, namespace=namespace, grace_period=0)
            except httpx2.HTTPStatusError as error:
                if error.response.status_code != 404:
                    raise

        self._ask(delete, name)

    def pods(self, namespace: str, labels: dict[str, str]) -> "list[Pod]":
        """Return all pods with these labels."""
        from lightkube.resources.core_v1 import Pod

        async def collect() -> "list[Pod]":
            return [pod async for pod in self._api.list(Pod, namespace=namespace, labels=labels, chunk_size=500)]

        return self._ask(collect, namespace)

    def _ask(self, request: Callable[[], Awaitable[T]], subject: str) -> T:
        with our_errors(subject):
            try:
                return run_async(patiently(request), timeout=CALL_SECONDS)
            except TimeoutError as error:
                raise TransportError(
                    f"{self.address} did not answer within {CALL_SECONDS:g} s", subject=subject
                ) from error


async def patiently(request: Callable[[], Awaitable[T]]) -> T:
    """Repeat a request that the server throttles or that does not get through. Only for what may be done twice."""
    for attempt in range(ATTEMPTS):
        try:
            return await request()
        except Exception as error:
            pause = pause_before_retry(error, attempt)
            if pause is None or attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")
