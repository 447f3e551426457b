"""How much processor time it takes to look at a run: the whole commands, and one look of the many that `runs watch` takes.

    python benchmarks/reading.py [episodes]

One judged episode is made and its record copied, so that there is a run of so many (by default 652, as in the published data set).
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cooperbench import run
from cooperbench.records import GroupKey, RunConfig, RunDirectory, read_model, write_model
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.runs import read_run

PROGRAM = Path(sys.executable).with_name("cooperbench")
GOALS = {"runs list": 0.3, "runs show many": 1.5}


def main() -> None:
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 652
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        write_run(Path(folder) / "made", logs, episodes)
        print(f"{episodes} judged episodes, seconds of processor time")
        for words, goal in GOALS.items():
            taken = median(lambda words=words: of_command(words, logs))
            print(f"{words:<16} {taken:6.3f}   goal {goal:g}")
        settled: dict[GroupKey, EpisodeView] = {}
        print(f"{'read':<16} {median(lambda: of_reading(logs, {})):6.3f}")
        of_reading(logs, settled)
        print(f"{'read again':<16} {median(lambda: of_reading(logs, settled)):6.3f}")


def write_run(place: Path, logs: Path, episodes: int) -> None:
    made = run("one", agent="gold", subset="demo", repo="shelfdb", features=(1, 2), log_dir=place)
    [episode] = made.episodes
    copies = tuple(episode.group.model_copy(update={"task_id": number}) for number in range(1, episodes + 1))
    target = RunDirectory(logs / "many")
    config = read_model(RunDirectory(made.directory).config, RunConfig)
    write_model(target.config, config.model_copy(update={"run": "many", "groups": copies}))
    for group in copies:
        shutil.copytree(episode.directory, target.episode(config.setting, group).path)


def median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(7))


def of_command(words: str, logs: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([PROGRAM, *words.split(), "--log-dir", logs], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def of_reading(logs: Path, settled: dict[GroupKey, EpisodeView]) -> float:
    begun = time.process_time()
    read_run("many", logs, settled=settled)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
