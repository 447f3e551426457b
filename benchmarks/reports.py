"""Time and memory of `report` and `compare` on runs of the published size: 652 groups in 29 pools, three attempts each.

    python benchmarks/reports.py [attempts]

Two judged episodes are made, one that passes and one that conflicts; their records are copied. Goals: under 5 s and 400 MB.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cooperbench import run
from cooperbench.analysis.statistics import PUBLISHED_POOLS
from cooperbench.records import GroupKey, RunConfig, RunDirectory, read_model, write_model

PROGRAM = Path(sys.executable).with_name("cooperbench")
COMMANDS = (
    "report one",
    "report one other --by repo",
    "report one other --paper",
    "compare one other",
    "power one other --effect 5",
)


def main() -> None:
    attempts = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        sources = [made(Path(folder) / "made", features) for features in ((1, 3), (1, 2))]
        for seed, name in enumerate(("one", "other")):
            write_run(logs, name, sources, attempts, seed)
        print(f"{sum(PUBLISHED_POOLS)} groups, {attempts} attempts each; goals: 5 s, 400 MB")
        for words in COMMANDS:
            seconds, processor, megabytes = measure(words, logs)
            print(f"{words:<28} {seconds:5.2f} s, {processor:5.2f} s of processor time, {megabytes:4.0f} MB")


def made(place: Path, features: tuple[int, int]) -> tuple[RunConfig, Path]:
    """Make one judged episode with gold patches."""
    name = "-".join(map(str, features))
    result = run(name, agent="gold", subset="demo", repo="shelfdb", features=features, log_dir=place)
    [episode] = result.episodes
    assert episode.verdict is not None, "not judged: is the machine too busy?"
    return read_model(RunDirectory(result.directory).config, RunConfig), episode.directory


def write_run(logs: Path, name: str, sources: list[tuple[RunConfig, Path]], attempts: int, seed: int) -> None:
    """Copy the episodes, with a pass rate that differs by pool."""
    draw = random.Random(seed)
    target, config = RunDirectory(logs / name), sources[0][0]
    groups = []
    for task_id, pairs in enumerate(PUBLISHED_POOLS, 1):
        rate = draw.betavariate(2, 3)
        for number in range(pairs):
            for repeat in range(1, attempts + 1):
                group = config.groups[0].model_copy(
                    update={"task_id": task_id, "features": (1, number + 2), "repeat": repeat}
                )
                groups.append(group)
                source = sources[draw.random() > rate][1]
                shutil.copytree(
                    source, target.episode(config.setting, GroupKey.model_validate(group.model_dump())).path
                )
    write_model(target.config, config.model_copy(update={"run": name, "groups": tuple(groups)}))


def measure(words: str, logs: Path) -> tuple[float, float, float]:
    """Return seconds, seconds of processor time and peak memory of a command."""
    begun = time.perf_counter()
    process = subprocess.Popen([PROGRAM, *words.split(), "--log-dir", logs], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, words
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
