"""What a sandbox costs: start, execute, stop, against the bare primitive in the same run.

    python benchmarks/environments.py [--backend local docker] [--image NAME] [--rounds 100] [--many 20]

The bare primitive is a subprocess with its shell for `local`, and `docker exec` of the command line for `docker`. Absolute numbers
depend on the machine and on what else runs there; ratios hold better, because both sides are measured alternately.
"""

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cooperbench.environments import Environment, EnvironmentOptions, open_environment
from cooperbench.testing import sample_image

COMMAND = "true"


def milliseconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


def bare(backend: str, environment: Environment) -> Callable[[], object]:
    argv = ["bash", "-c", COMMAND]
    if backend == "docker":
        argv = ["docker", "exec", environment.handle().identifier, "sh", "-c", COMMAND]
    return lambda: subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, check=True)


def measure(backend: str, image: str, rounds: int, cwd: str) -> None:
    options = EnvironmentOptions(cwd=cwd, lifetime=600)
    starts, stops = [], []
    for _ in range(5):
        begun = time.perf_counter()
        environment = open_environment(backend, image, options=options)
        starts.append((time.perf_counter() - begun) * 1000)
        stops.append(milliseconds(environment.cleanup))
    with open_environment(backend, image, options=options) as environment:
        primitive = bare(backend, environment)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(milliseconds(lambda: environment.execute(COMMAND)))
            theirs.append(milliseconds(primitive))
        blob = os.urandom(1_000_000)
        written = milliseconds(lambda: environment.write_file("/tmp/blob", blob))
        read = milliseconds(lambda: environment.read_file("/tmp/blob"))
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"{backend}, {image}, isolation {environment.isolation}")
    print(
        f"  execute   median {statistics.median(ours):7.2f} ms   bare {statistics.median(theirs):7.2f} ms   ratio {ratio:.2f}"
    )
    print(f"  start     median {statistics.median(starts):7.1f} ms   stop {statistics.median(stops):7.1f} ms")
    print(f"  1 MB file write  {written:7.1f} ms   read {read:7.1f} ms")


def many(backend: str, image: str, number: int, cwd: str) -> None:
    threads = 0

    def one(index: int) -> int:
        nonlocal threads
        with open_environment(backend, image, options=EnvironmentOptions(cwd=cwd, lifetime=600)) as environment:
            codes = [environment.execute(f"echo {index}")["returncode"] for _ in range(5)]
            threads = max(threads, threading.active_count())
            return sum(codes)

    begun = time.perf_counter()
    with ThreadPoolExecutor(number) as pool:
        errors = sum(pool.map(one, range(number)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {number} at once with 5 executes each: {time.perf_counter() - begun:.1f} s, {errors} errors, ", end="")
    print(f"{threads} threads, {peak:.0f} MB in this process")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", nargs="+", default=["local", "docker"])
    parser.add_argument("--image", default="cooperbench-test/sandbox")
    parser.add_argument("--cwd", default="/workspace/repo")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--many", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["COOPERBENCH_CACHE_DIR"] = cache
        for backend in given.backend:
            image = sample_image(host_packages=("pytest",)) if backend == "local" else given.image
            measure(backend, image, given.rounds, given.cwd)
            many(backend, image, given.many, given.cwd)


if __name__ == "__main__":
    main()
