"""How long it takes to read a run, once and again as `runs watch` does each second.

    python benchmarks/reading.py [episodes]

One judged episode is made and its record copied, so that there is a run of so many (by default 652).
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cooperbench import run
from cooperbench.records import GroupKey, RunConfig, RunDirectory, read_model, write_model
from cooperbench.records.episode_state import EpisodeView
from cooperbench.runner import read_run


def main() -> None:
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 652
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), episodes)
        settled: dict[GroupKey, EpisodeView] = {}
        whole = statistics.median(seconds(Path(folder), {}) for _ in range(5))
        seconds(Path(folder), settled)
        again = statistics.median(seconds(Path(folder), settled) for _ in range(5))
    print(f"{episodes} judged episodes, seconds of processor time")
    print(f"read whole   {whole:7.3f}")
    print(f"read again   {again:7.3f}   {again / whole:.1%}")


def write_run(log_dir: Path, episodes: int) -> None:
    made = run("one", agent="gold", subset="demo", repo="shelfdb", features=(1, 2), log_dir=log_dir)
    [episode] = made.episodes
    copies = tuple(episode.group.model_copy(update={"task_id": number}) for number in range(1, episodes + 1))
    target = RunDirectory(log_dir / "many")
    config = read_model(RunDirectory(made.directory).config, RunConfig)
    write_model(target.config, config.model_copy(update={"run": "many", "groups": copies}))
    for group in copies:
        shutil.copytree(episode.directory, target.episode(config.setting, group).path)


def seconds(log_dir: Path, settled: dict[GroupKey, EpisodeView]) -> float:
    begun = time.process_time()
    read_run("many", log_dir, settled=settled)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
