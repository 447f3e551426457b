"""Import once what workers need, in a small process that forks one worker for each member.

Why not `multiprocessing`: its children import the user's main script again, which for the documented
`from cooperbench.runner import run; run(…)` without a guard against that means running it again; and they are tied to the thread that
started them. Why not a fresh interpreter: 0.5 s and 40 MB each, against 5 ms and the pages that a worker really changes.

Protocol, one JSON object a line. In: `Setup`, then any number of `Start`. Out: a `WorkerReport` when everything is imported, and for each
worker one when it has started and one when it has ended. The end of the input ends every worker and the server, so that nothing
survives a killed runner.

Between the server and each worker stands a supervisor, which only waits for its worker: an agent that kills its parent ends itself,
and not the workers of all other episodes. Whatever the agent started becomes the supervisor's child when it loses its parent, so the
supervisor knows what the worker left behind, and ends it.
"""

import contextlib
import gc
import os
import resource
import selectors
import signal
import sys
from typing import Literal, NoReturn

from cooperbench.environments.scope import WORKER_MARK
from cooperbench.records import Record
from cooperbench.runner.workers.processes import adopt_orphans, kill_tree
from cooperbench.runner.workers.specs import EvaluationSpec, MemberSpec

WORKER_FAULT = 70
"""Exit code of a worker that failed outside the agent's code."""
_OF_THE_RUNNER = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Schedulers send these to every process of a run. The runner answers them, and ends the server by the end of its input."""


class Setup(Record):
    """The first line of the input: how to be like the runner's own process."""

    path: tuple[str, ...]
    preload: tuple[str, ...] = ()
    backend: str | None = None
    """Where most workers will open their sandboxes."""
    redis_url: str | None = None
    """Where limits are shared. It may hold a password, so it is neither an argument nor a variable."""


class Start(Record):
    """A request to fork a worker for a spec, with its output appended to `log`."""

    key: int
    spec: MemberSpec | EvaluationSpec
    log: str
    mark: str
    """Distinguishes the programs that the worker starts from all others on the host."""


class WorkerReport(Record):
    """A worker has started or ended, or workers can be forked at once from now on."""

    kind: Literal["ready", "started", "ended"]
    process: int
    supervisor: int = 0
    """The worker's parent, when it has started."""
    key: int = -1
    status: int = 0
    """As `os.waitpid` gives it; meaningful when ended."""


class _Server:
    def __init__(self, requests: int, reports: int) -> None:
        self._requests = requests
        self._reports = reports
        self._buffer = b""
        self._workers: dict[int, tuple[int, Start]] = {}
        """Workers and their requests, by their supervisors."""
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        for number in (signal.SIGCHLD, *_OF_THE_RUNNER):
            signal.signal(number, lambda *_: None)  # not SIG_IGN, which the programs of agents would inherit
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def serve(self) -> None:
        self._report(WorkerReport(kind="ready", process=os.getpid()))
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._wake_read in ready:
                    self._reap()
                if self._requests in ready and not self._read_requests():
                    break
        for supervisor, (worker, request) in self._workers.items():
            kill_tree(worker, request.mark, below=supervisor)

    def _read_requests(self) -> bool:
        data = os.read(self._requests, 1 << 20)
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._start(Start.model_validate_json(line))
        return True

    def _start(self, request: Start) -> None:
        reader, writer = os.pipe()
        supervisor = os.fork()
        if supervisor == 0:
            self._become_supervisor(request, writer)
        os.close(writer)
        worker = int(os.read(reader, 32))
        os.close(reader)
        self._workers[supervisor] = (worker, request)
        self._report(WorkerReport(key=request.key, kind="started", process=worker, supervisor=supervisor))

    def _become_supervisor(self, request: Start, writer: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for descriptor in (self._requests, self._reports, self._wake_read, self._wake_write):
            os.close(descriptor)
        _end_with_parent()
        adopt_orphans()
        worker = os.fork()
        if worker == 0:
            os.close(writer)
            self._become_worker(request)
        for number in _OF_THE_RUNNER:
            signal.signal(number, signal.SIG_IGN)  # whoever ends the supervisor this way means the agent
        os.write(writer, str(worker).encode())
        os.close(writer)
        ended, status = os.wait()
        while ended != worker:  # an orphan
            ended, status = os.wait()
        kill_tree(worker, request.mark, below=os.getpid())
        _end_like(status)

    def _become_worker(self, request: Start) -> NoReturn:
        status = WORKER_FAULT
        try:
            for number in _OF_THE_RUNNER:
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            _end_with_parent()
            os.environ.update(request.spec.variables)
            os.environ[WORKER_MARK] = request.mark
            log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            if isinstance(request.spec, EvaluationSpec):
                from cooperbench.runner.workers.evaluation import run_evaluation

                run_evaluation(request.spec)
            else:
                from cooperbench.runner.workers.worker import work

                work(request.spec)
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            # Not sys.exit: threads that an agent left behind would keep the process.
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                if not os.read(self._wake_read, 4096):
                    break
            except BlockingIOError:
                break
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            if process in self._workers:
                _, request = self._workers.pop(process)
                self._report(WorkerReport(key=request.key, kind="ended", process=process, status=status))

    def _report(self, report: WorkerReport) -> None:
        data = report.model_dump_json().encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):  # the runner was killed: the end of the input comes next
            while data:
                data = data[os.write(self._reports, data) :]


def _end_like(status: int) -> NoReturn:
    """End in the way another process did. `status` is as `os.waitpid` gives it."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else WORKER_FAULT)


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, also by -9. Only Linux can."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGKILL)


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            raise SystemExit(0)
        line += byte
    return line


def main() -> None:
    """Serve until the input ends. Standard input and output are the protocol; nobody else may write there."""
    requests, reports = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    setup = Setup.model_validate_json(_read_line(requests))
    sys.path[:] = setup.path
    from importlib import import_module

    from cooperbench.environments.registry import get_backend
    from cooperbench.environments.shared_limits import use_limits

    gc.disable()  # nothing of what is imported is garbage, and looking for some takes a tenth of the time
    import_module("cooperbench.runner.workers.worker")
    for name in setup.preload:
        with contextlib.suppress(Exception):  # the worker that needs it will say what is wrong
            import_module(name)
    use_limits(setup.redis_url)
    if setup.backend is not None:
        with contextlib.suppress(Exception):
            get_backend(setup.backend).before_forking()
    gc.collect()
    gc.enable()
    gc.freeze()  # the collector of a worker would otherwise touch, and so copy, every page it shares with this process
    _Server(requests, reports).serve()


if __name__ == "__main__":
    main()
