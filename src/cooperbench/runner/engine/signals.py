"""Answer Ctrl-C, SIGTERM and a closed terminal with an orderly end, and a second Ctrl-C by quitting.

Only a person means "at once" by repeating themselves: a scheduler sends SIGTERM up to three times for one pre-emption (Slurm does, with
a grace time).

A thread answers them, not Python's signal handlers: those run in the middle of whatever the main thread does, where printing may
raise ("reentrant call") and taking a lock may never return.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(first: Callable[[], None], second: Callable[[], None]) -> Iterator[None]:
    """Call `first`, in another thread, at the first signal, and `second` at a Ctrl-C after it, after which the process ends.

    Signals that are ignored stay so (`nohup`). Outside the main thread, where Python allows no handlers, all are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    wakeup = signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    answering = threading.Thread(target=_answer, args=(receiver, first, second), name="signals", daemon=True)
    answering.start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(sender)
        answering.join()


def _answer(receiver: int, first: Callable[[], None], second: Callable[[], None]) -> None:
    count = 0
    with os.fdopen(receiver, "rb", buffering=0) as numbers:
        while number := numbers.read(1):  # Python writes each signal's number
            if number[0] not in _SIGNALS:
                continue
            count += 1
            if count == 1:
                first()
                continue
            if number[0] != signal.SIGINT:
                continue
            try:
                second()
            finally:
                os._exit(EXIT_INTERRUPTED)
