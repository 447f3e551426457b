"""Time programs that are read while they run, and ports of a sandbox, on the local and the docker backend.

python benchmarks/programs.py [--backend docker] [--image cooperbench-test/sandbox] [--rounds 20]
"""

import argparse
import socket
import statistics
import time
from collections.abc import Callable

from cooperbench.environments import Environment, EnvironmentOptions
from cooperbench.testing import sample_image

CLIENT = """
import socket, sys, time
times = []
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as peer:
        peer.sendall(b"x" * 100)
        peer.recv(100)
    times.append(time.perf_counter() - begun)
print(sorted(times)[len(times) // 2] * 1000)
begun = time.perf_counter()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as peer:
    peer.sendall(b"b")
    size = 0
    while True:
        data = peer.recv(1 << 16)
        if not data:
            break
        size += len(data)
print(size / (time.perf_counter() - begun) / 1e6)
"""
BULK = 50_000_000


def answer(connection: socket.socket) -> None:
    """Answer a small request, or one for much."""
    connection.sendall(b"y" * 100 if connection.recv(100) != b"b" else b"y" * BULK)


def median_ms(rounds: int, action: Callable[[], object]) -> float:
    """Return the median time of an action in milliseconds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def measure(environment: Environment, rounds: int) -> dict[str, float]:
    """Return what each thing costs."""

    def first_line() -> None:
        with environment.spawn("echo up; exec sleep 60") as program:
            begun = time.perf_counter()
            next(iter(program))
            waited.append(time.perf_counter() - begun)

    waited: list[float] = []
    found = {"execute, ms": median_ms(rounds, lambda: environment.execute("true") and None)}
    found["spawn to its end, ms"] = median_ms(rounds, lambda: environment.spawn("true").wait())
    found["first line and killing, ms"] = median_ms(rounds, first_line)
    found["first line, ms"] = statistics.median(waited) * 1000
    with environment.spawn("while read -r line; do echo $line; done", stdin=None) as program:
        lines = iter(program)

        def exchange() -> None:
            program.write(b"a\n")
            next(lines)

        found["a line there and back, ms"] = median_ms(rounds, exchange)
    begun = time.perf_counter()
    environment.spawn(f"head -c {BULK * 4} /dev/zero").wait()
    found["output, MB/s"] = BULK * 4 / (time.perf_counter() - begun) / 1e6
    begun = time.perf_counter()
    service = environment.serve(answer)
    found["serve, ms"] = (time.perf_counter() - begun) * 1000
    environment.write_file("/tmp/client.py", CLIENT.encode())
    output = environment.execute(f"python3 /tmp/client.py {service.port} {rounds}")["output"].split()
    found["connection, 100 bytes there and back, ms"], found["answer, MB/s"] = map(float, output)
    return found


def main() -> None:
    """Measure one backend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="local")
    parser.add_argument("--image")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    image = given.image or (
        sample_image("benchmark:programs") if given.backend == "local" else "cooperbench-test/sandbox"
    )
    options = EnvironmentOptions(cwd="/tmp", network="none")
    with Environment(given.backend, image, options=options) as environment:
        for name, value in measure(environment, given.rounds).items():
            print(f"{name:<42} {value:8.1f}")


if __name__ == "__main__":
    main()
