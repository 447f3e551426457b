"""Keep a Ctrl-C from being lost.

Python raises `KeyboardInterrupt` in whatever the main thread does, also in finalizers and callbacks, which nothing can leave: it then
prints "Exception ignored in" and goes on as if nobody had pressed a key. While modules are imported, one moment in 435 is in such a
callback of importlib (43 of 18,692, imports of the backend kubernetes).
"""

import signal
import sys
import time
from _thread import get_ident, start_new_thread
from collections.abc import Callable

PAUSE = 0.01
"""Seconds until the callback is over. If it is not, the interrupt is lost and sent once more."""


def keep_interrupts() -> "Callable[[sys.UnraisableHookArgs], object]":
    """From now on, send an interrupt again that Python ignored. Return the former `sys.unraisablehook`, for who ends this."""
    before = sys.unraisablehook

    def hook(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            start_new_thread(_interrupt, (get_ident(),))
        else:
            before(ignored)

    sys.unraisablehook = hook
    return before


def _interrupt(thread: int) -> None:
    time.sleep(PAUSE)
    signal.pthread_kill(thread, signal.SIGINT)
