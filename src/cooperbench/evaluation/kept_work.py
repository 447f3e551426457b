"""Work through numbered items side by side. What is finished is kept, so that an interrupted run goes on where it was.

An interrupt (Ctrl-C, SIGTERM) ends the sandboxes that are open and starts no others: nothing waits for the suites in them.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

from cooperbench.environments import Environment, SandboxLabels
from cooperbench.environments.scope import EnvironmentScope, activate, current_scope
from cooperbench.errors import CooperBenchError, EvaluationError, RecordError
from cooperbench.evaluation.endings import wait_for_endings
from cooperbench.records import Record, read_model, write_model

Result = TypeVar("Result", bound=Record)


def work_through(
    numbers: Sequence[int],
    work: Callable[[int, threading.Event], Result],
    kind: type[Result],
    folder: Path,
    *,
    workers: int,
    labels: SandboxLabels,
    keep: Callable[[Result], bool],
    finished: Callable[[Result], None],
    kept: Callable[[Result], None],
) -> tuple[Result, ...]:
    """Return the results of `work` in the order of `numbers`, those that `folder` holds without working again.

    `kept` is called for each of these, `finished` after each other one. `keep` chooses what the folder gets; in the end it is emptied.
    """
    found: dict[int, Result] = {}
    for number in numbers:
        with suppress(FileNotFoundError, RecordError):
            found[number] = read_model(folder / f"{number}.json", kind)
            kept(found[number])
    with _ended_by_interrupt(labels) as stop:
        pool = ThreadPoolExecutor(workers)
        try:
            waiting = {pool.submit(work, number, stop): number for number in numbers if number not in found}
            for future in as_completed(waiting):
                number = waiting[future]
                found[number] = future.result()
                if keep(found[number]):
                    folder.mkdir(parents=True, exist_ok=True)
                    write_model(folder / f"{number}.json", found[number])
                finished(found[number])
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
    for number in numbers:
        (folder / f"{number}.json").unlink(missing_ok=True)
    return tuple(found[number] for number in numbers)


@contextmanager
def _ended_by_interrupt(labels: SandboxLabels) -> Iterator[threading.Event]:
    """End the sandboxes that are opened in the block when it is left by an exception. Yield the event that says so to threads."""
    stop, sandboxes = threading.Event(), set[Environment]()

    def opened(environment: Environment) -> None:
        if stop.is_set():
            raise EvaluationError("the work was interrupted")
        sandboxes.add(environment)

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _interrupt) if main else None
    scope = EnvironmentScope(labels=labels, after_start=[opened], before_cleanup=[sandboxes.discard])
    try:
        if current_scope() is not None:
            yield stop
            return
        with activate(scope):
            yield stop
    except BaseException:
        stop.set()
        for environment in list(sandboxes):
            with suppress(CooperBenchError):
                environment.cleanup()
        raise
    finally:
        wait_for_endings()
        if main:
            signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
