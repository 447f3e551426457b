"""The subject of the suite, and a transport whose connection can be cut."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from cooperbench.environments import (
    Capability,
    Environment,
    EnvironmentOptions,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    Stream,
    Transport,
    get_backend,
)
from cooperbench.errors import TransportError


@dataclass(frozen=True)
class Subject:
    """One backend with one image."""

    backend: str
    image: str
    kill: Callable[[SandboxHandle], None]
    """Ends the sandbox behind the harness's back, as a provider or an administrator would."""
    cwd: str = "/workspace/repo"
    settings: Mapping[str, str] = field(default_factory=dict)
    tool: tuple[str, str] | None = None
    """A command whose output shows the image's own ENV and PATH, and that output."""
    git: bool = True
    """Set when the image has git and a repository with one commit in `cwd`."""
    missing_image: str = "cooperbench-test/nothing-of-this-name:none"
    removal_seconds: float = 60.0
    """Seconds after the end of a sandbox's lifetime in which nothing of it may be left."""

    keeps_ended: bool = False
    """Set when the provider keeps the record of a sandbox that has ended, until whoever comes next removes it (`reap`)."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The capabilities that the backend reports."""
        return get_backend(self.backend).capabilities(self.settings)

    def options(self, **fields: Any) -> EnvironmentOptions:
        """Options with the subject's working directory."""
        return EnvironmentOptions.model_validate({"cwd": self.cwd, "lifetime": 600, **fields})

    def open(self, *, image: str | None = None, run: str = "conformance", **fields: Any) -> Environment:
        """Start a sandbox."""
        return Environment(
            self.backend,
            image or self.image,
            options=self.options(**fields),
            labels=SandboxLabels(run=run),
            settings=self.settings,
        )

    def cuttable(self) -> "tuple[Environment, CuttableTransport]":
        """Start a sandbox whose connection can be cut."""
        options = self.options()
        labels = SandboxLabels(run="conformance")
        transport = CuttableTransport(get_backend(self.backend).transport(self.image, options, labels, self.settings))
        return Environment.from_transport(transport), transport


class CuttableTransport:
    """Passes everything through, until `cut` breaks every stream and every running call at once.

    What was asked for goes on inside the sandbox, as it does when a network fails.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.resident, self.below_us = inner.resident, inner.below_us
        self._streams: list[Stream] = []
        self._cut: Future[None] = Future()
        self._calls = ThreadPoolExecutor(thread_name_prefix="cuttable")
        self._lock = threading.Lock()

    def cut(self) -> None:
        """Break what is open now; later calls work again."""
        with self._lock:
            broken, self._cut = self._cut, Future()
            streams, self._streams = self._streams, []
        broken.set_result(None)
        for stream in streams:
            stream.close()

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run an argv. Raises `TransportError` when cut."""
        call = self._calls.submit(self._inner.run, argv, stdin=stdin, timeout=timeout)
        either: list[Future[Any]] = [call, self._cut]
        wait(either, return_when=FIRST_COMPLETED)
        if not call.done():
            raise TransportError("the connection was cut")
        return call.result()

    def open(self, argv: list[str]) -> Stream:
        """Start an argv."""
        stream = self._inner.open(argv)
        with self._lock:
            self._streams.append(stream)
        return stream

    def start(self) -> None:
        """Start."""
        self._inner.start()

    def persisted(self) -> None:
        """Let it outlive this process."""
        self._inner.persisted()

    def alive(self) -> bool:
        """Return whether it runs."""
        return self._inner.alive()

    def handle(self) -> SandboxHandle:
        """Return the handle."""
        return self._inner.handle()

    def host_path(self, path: str) -> str:
        """Return the place of a path."""
        return self._inner.host_path(path)

    def snapshot(self) -> str:
        """Take a snapshot."""
        return self._inner.snapshot()

    def stop(self) -> None:
        """Stop."""
        self._inner.stop()
        self._calls.shutdown()
