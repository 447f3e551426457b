"""How long `cooperbench --help` takes, in multiples of `python -c pass`.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15


def seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - begun


def main() -> None:
    bare, helped = [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment hits both
        bare.append(seconds("-c", "pass"))
        helped.append(seconds("-m", "cooperbench.cli.main", "--help"))
    floor, measured = statistics.median(bare), statistics.median(helped)
    print(f"python -c pass      {floor * 1000:6.1f} ms")
    print(f"cooperbench --help  {measured * 1000:6.1f} ms   {measured / floor:.1f} times")


if __name__ == "__main__":
    main()
