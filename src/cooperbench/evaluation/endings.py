"""End sandboxes beside what comes next. On Docker that takes 0.1 to 0.3 s, and no verdict depends on it.

The thread of an ending is no daemon, so that a process that comes to its end waits for it.
"""

import threading
from contextlib import ExitStack, suppress

from cooperbench.errors import CooperBenchError

_ending: set[threading.Thread] = set()
_lock = threading.Lock()


def end_beside(sandbox: ExitStack) -> None:
    """Leave the contexts of a sandbox in a thread. What fails there is left to the sandbox's lifetime."""
    thread = threading.Thread(target=_end, args=(sandbox,), name="cooperbench-end")
    with _lock:
        _ending.add(thread)
    try:
        thread.start()
    except RuntimeError:  # the process has no threads left, or is about to end
        _ending.discard(thread)
        sandbox.close()


def _end(sandbox: ExitStack) -> None:
    with suppress(CooperBenchError):
        sandbox.close()
    with _lock:
        _ending.discard(threading.current_thread())


def wait_for_endings() -> None:
    """Wait until the sandboxes that this process ends are gone."""
    with _lock:
        threads = list(_ending)
    for thread in threads:
        thread.join()
