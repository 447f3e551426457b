"""Start workers through the fork server, and learn when they end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import psutil

from cooperbench.records import SCRATCH
from cooperbench.runner.workers.fork_server import Setup, Start, WorkerReport
from cooperbench.runner.workers.processes import kill_tree
from cooperbench.runner.workers.specs import EvaluationSpec, MemberSpec


class Worker:
    """One member's process."""

    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake
        self.mark = uuid.uuid4().hex
        self.process: int | None = None
        self.supervisor: int | None = None
        self.status: int | None = None
        """As `os.waitpid` gives it; `None` while it runs, or when it was lost together with its server."""
        self.ended = threading.Event()

    @property
    def succeeded(self) -> bool:
        """True when it ran to its own end."""
        return self.status == 0

    @property
    def exit_text(self) -> str:
        """The end of the process in words."""
        if self.status is None:
            return "was lost together with its server"
        code = os.waitstatus_to_exitcode(self.status)
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"exited with code {code}"

    @property
    def memory_mb(self) -> float:
        """The memory that the process has in use; 0 while there is none."""
        try:
            return psutil.Process(self.process).memory_info().rss / 2**20 if self.process is not None else 0.0
        except psutil.Error:
            return 0.0

    def end(self, status: int | None) -> None:
        """Note that the process is gone, and wake whoever waits for that."""
        self.status = status
        self.ended.set()
        self._wake.set()

    def ask_to_end(self) -> None:
        """Interrupt the agent: the worker still writes its files and captures its sandbox."""
        if self.process is not None and not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGTERM)

    def kill(self) -> None:
        """End the process and everything that it started, now."""
        if self.process is not None and not (self.ended.is_set() and self._cleaned_up):
            kill_tree(self.process, self.mark, below=self.supervisor)

    @property
    def _cleaned_up(self) -> bool:
        """True when its supervisor lived to end what it left behind; one that is killed ends by the same signal as its worker."""
        return self.status is not None and not (
            os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL
        )


class _ForkServer:
    """One fork server and the workers that it started."""

    def __init__(
        self, preload: tuple[str, ...], scratch: Path | None, backend: str | None, redis_url: str | None
    ) -> None:
        self._lock = threading.Lock()
        self._workers: dict[int, Worker] = {}
        self._next = 0
        self._gone = False
        self.ready = threading.Event()
        """Set when everything is imported, or when the server is gone."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cooperbench.runner.workers.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=None if scratch is None else {**os.environ, SCRATCH: str(scratch)},
            start_new_session=True,  # a Ctrl-C at the terminal is the runner's to handle
        )
        self._send(Setup(path=tuple(sys.path), preload=preload, backend=backend, redis_url=redis_url).model_dump_json())
        threading.Thread(target=self._listen, name="fork-server-reports", daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._gone and self._process.poll() is None

    def start(self, spec: MemberSpec | EvaluationSpec, log: Path, wake: threading.Event) -> Worker:
        worker = Worker(wake)
        with self._lock:
            key, self._next = self._next, self._next + 1
            self._workers[key] = worker
            if self._gone or not self._send(
                Start(key=key, spec=spec, log=str(log), mark=worker.mark).model_dump_json()
            ):
                worker.end(None)
        return worker

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if not self._workers:
            self._process.kill()  # it may still be importing, and has nothing to end
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, line: str) -> bool:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as reports:
            for line in reports:
                report = WorkerReport.model_validate_json(line)
                if report.kind == "ready":
                    self.ready.set()
                    continue
                worker = self._workers[report.key]
                if report.kind == "started":
                    worker.process, worker.supervisor = report.process, report.supervisor
                else:
                    worker.end(report.status)
                    with self._lock:
                        del self._workers[report.key]
        with self._lock:
            self._gone = True
            for worker in self._workers.values():
                worker.kill()
                worker.end(None)
            self._workers.clear()
        self.ready.set()


class WorkerPool:
    """Start workers through a fork server, which is started when it is first needed, and again if it dies."""

    def __init__(
        self,
        preload: tuple[str, ...] = (),
        scratch: Path | None = None,
        backend: str | None = None,
        redis_url: str | None = None,
    ) -> None:
        self._preload = preload
        self._scratch = scratch
        self._backend = backend
        self._redis_url = redis_url
        self._lock = threading.Lock()
        self._server: _ForkServer | None = None

    def start(self, spec: MemberSpec | EvaluationSpec, log: Path, wake: threading.Event) -> Worker:
        """Start a worker. Its output goes to `log`; `wake` is set when it ends."""
        with self._lock:
            return self._living_server().start(spec, log, wake)

    def prepare(self) -> None:
        """Have the server begin to import what workers need, without waiting for it."""
        with self._lock:
            self._living_server()

    def wait_until_ready(self) -> None:
        """Wait until workers start at once. What is imported once must not be taken from the time of those that come first."""
        with self._lock:
            server = self._living_server()
        server.ready.wait()

    def close(self) -> None:
        """End the server and every worker that is left."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()

    def _living_server(self) -> _ForkServer:
        if self._server is None or not self._server.alive:
            self._server = _ForkServer(self._preload, self._scratch, self._backend, self._redis_url)
        return self._server
