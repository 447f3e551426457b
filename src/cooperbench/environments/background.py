"""One event loop in one daemon thread, for SDKs that exist only as coroutines.

Environments are synchronous. A thread for each connection would cost 200 threads for 200 sandboxes; a loop costs one.
"""

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner = 0


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the process's background loop, starting it on first use; a forked child gets its own."""
    global _loop, _owner
    with _lock:
        if _loop is None or _owner != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="cooperbench-loop", daemon=True).start()
            _loop, _owner = loop, os.getpid()
        return _loop


def run_async(work: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
    """Run a coroutine on the background loop and wait for it. Raises `TimeoutError` and cancels it after `timeout` seconds."""
    future = asyncio.run_coroutine_threadsafe(work, background_loop())
    try:
        return future.result(timeout)
    except BaseException:  # also an interrupt: work that nobody waits for must not continue
        future.cancel()
        raise


def start_async(work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
    """Start a coroutine on the background loop without waiting."""
    return asyncio.run_coroutine_threadsafe(work, background_loop())
