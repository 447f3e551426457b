"""Many Modal sandboxes at a time, from threads of one process: errors, memory, threads, and time.

    python benchmarks/modal_concurrency.py [SANDBOXES] [COMMANDS]

The unmodified SDK talks to the stand-in in a process of its own, whose sandboxes are plain processes. Creations are spaced out
as a real workspace wants it (five a second), so 200 sandboxes take 40 s to start at best. All are open at the same time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(sandboxes: int, commands: int) -> None:
    """Print one line of JSON."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.standins.modal", "processes"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        os.environ.update(json.loads(server.stdout.readline()))
        with tempfile.TemporaryDirectory() as cache:
            os.environ["COOPERBENCH_CACHE_DIR"] = cache
            facts = measure(sandboxes, commands)
        server.stdin.close()
        facts["unwritten_calls"] = json.loads(server.stdout.readline())["unwritten"]
    print(json.dumps(facts))


def measure(sandboxes: int, commands: int) -> dict[str, object]:
    """Open all, run commands in all, close all."""
    from cooperbench.environments.modal import ModalEnvironment

    all_open = threading.Barrier(sandboxes)
    errors: list[str] = []
    seconds: list[float] = []
    threads = 0

    def use(number: int) -> None:
        nonlocal threads
        try:
            with ModalEnvironment("benchmark", cwd="/tmp") as environment:
                all_open.wait(600)
                for turn in range(commands):
                    begun = time.monotonic()
                    result = environment.execute(f"echo {number}-{turn}")
                    seconds.append(time.monotonic() - begun)
                    if (result["output"], result["returncode"]) != (f"{number}-{turn}\n", 0):
                        errors.append(f"{number}-{turn}: {result}")
                threads = max(threads, threading.active_count())
        except Exception as error:
            all_open.abort()
            errors.append(f"{number}: {type(error).__name__}: {error}")

    begun = time.monotonic()
    with ThreadPoolExecutor(sandboxes) as pool:
        list(pool.map(use, range(sandboxes)))
    return {
        "sandboxes": sandboxes,
        "commands": len(seconds),
        "errors": len(errors),
        "first_errors": errors[:3],
        "seconds": round(time.monotonic() - begun, 1),
        "median_command_ms": round(statistics.median(seconds) * 1000, 1) if seconds else None,
        "threads": threads,
        "threads_of_callers": sandboxes,
        "peak_memory_mb": peak_memory_mb(),
    }


def peak_memory_mb() -> int:
    """Of this program alone: what getrusage tells includes the memory of the process that started it, before it became this one."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
