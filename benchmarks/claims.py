"""Processes that share a run: what a claim costs, and whether any group is lost or done twice when they are killed and stopped.

    python benchmarks/claims.py costs            microseconds of each operation on this file system, and operations for a group
    python benchmarks/claims.py strikes          16 processes, 652 groups, kill -9 and SIGSTOP at random, clocks up to an hour apart
    python benchmarks/claims.py shared           4 processes on 50 episodes beside one process on the same 50: the ratio of the times
    python benchmarks/claims.py large            10,000 groups: seconds of `runs list` and of the summary

`--directory` chooses the file system, for example a folder on NFS.
"""

import argparse
import contextlib
import importlib.util
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path

from cooperbench.records import EpisodeDirectory
from cooperbench.records.claims import Claimant
from cooperbench.runner.engine.claims import ClaimOptions, Claims

CLAIMING = Path(__file__).parents[1] / "tests" / "runner" / "claiming.py"
ROUNDS = 300


def costs(place: Path) -> None:
    claims = Claims(ClaimOptions(), Claimant.of_this_process())
    other = Claims(ClaimOptions(), Claimant.of_this_process())
    episodes = [EpisodeDirectory(place / f"f{number}") for number in range(ROUNDS)]

    def begin(episode: EpisodeDirectory) -> None:
        claims.take(episode)
        episode.attempt(1).path.mkdir()

    for name, action in {
        "take, with the folder of the work": begin,
        "look at another's": lambda episode: other.take(episode),
        "beat": lambda episode: claims.beat(episode, 1),
        "publish": lambda episode: claims.publish(episode, 1, episode.attempt(1)),
    }.items():
        print(f"{name:<40} {_mean(action, episodes) * 1e6:8.0f} us")
    calls = _calls(place)
    print(
        f"system calls on files for one group      {calls:8.0f}"
        if calls
        else "strace is not installed: calls are not counted"
    )


def _mean(action: Callable[[EpisodeDirectory], object], episodes: list[EpisodeDirectory]) -> float:
    began = time.perf_counter()
    for episode in episodes:
        action(episode)
    return (time.perf_counter() - began) / len(episodes)


def _calls(place: Path) -> float:
    """Count the calls on files that one process makes for a group, the start of Python left out."""
    counts = []
    for groups in (1, 11):
        log, root = place / f"log{groups}", place / f"groups{groups}"
        root.mkdir()
        try:
            command = [
                "strace",
                "-f",
                "-c",
                "-e",
                "trace=file",
                sys.executable,
                CLAIMING,
                root,
                log,
                "1",
                str(groups),
                "60",
            ]
            said = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False).stderr
        except FileNotFoundError:
            return 0.0
        counts.append(next((int(line.split()[-2]) for line in said.splitlines() if line.endswith("total")), 0))
    return (counts[1] - counts[0]) / 10


def claiming() -> Callable[[Path, Path, int, int, float], None]:
    """Return what a process of the tests does: it claims folders, works in them for a moment and publishes."""
    spec = importlib.util.spec_from_file_location("claiming", CLAIMING)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[Path, Path, int, int, float], None] = module.main
    return found


def strikes(place: Path, processes: int, groups: int, seed: int, pause: float) -> None:
    patience = 3.0
    root, log, drawn = place / "groups", place / "log", random.Random(seed)
    root.mkdir()
    log.touch()

    # Forks: with an interpreter for each of two kills a second, two cores did nothing but import, and 652 groups took over 290 s.
    forks, work = multiprocessing.get_context("fork"), claiming()

    def start(number: int) -> ForkProcess:
        process = forks.Process(target=work, args=(root, log, number, groups, patience))
        process.start()
        return process

    began = time.monotonic()
    alive = [start(number) for number in range(processes)]
    harmed: dict[int, list[tuple[float, float]]] = {}
    waking: dict[int, float] = {}
    done = Counter[str]()
    while any(process.is_alive() for process in alive):
        time.sleep(drawn.uniform(0.2, 1.8) * pause)
        for process, until in list(waking.items()):
            if until < time.time():
                _send(process, signal.SIGCONT)
                del waking[process]
        victims = [each for each in alive if each.is_alive() and each.pid not in waking]
        if not victims:
            continue
        victim = drawn.choice(victims)
        assert victim.pid is not None
        if drawn.random() < 0.5:
            victim.kill()
            victim.join()
            harmed.setdefault(victim.pid, []).append((time.time(), float("inf")))
            alive[alive.index(victim)] = start(processes + done["killed"])
            done["killed"] += 1
        else:
            waking[victim.pid] = time.time() + drawn.choice((0.3, 1.0, 2.0, 6.0))
            harmed.setdefault(victim.pid, []).append((time.time(), waking[victim.pid] + 0.5))
            _send(victim.pid, signal.SIGSTOP)
            done["stopped"] += 1
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": round(seconds, 1), **done, **_judge(root, log, groups, harmed, patience)}))


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _judge(
    root: Path, log: Path, groups: int, harmed: dict[int, list[tuple[float, float]]], patience: float
) -> dict[str, object]:
    events = [json.loads(line) for line in log.read_text().splitlines()]
    took = {(name, number): (when, process) for when, process, event, name, number in events if event == "took"}
    published = Counter(name for _, _, event, name, _ in events if event == "published")
    wrong = []
    for name in (f"g{number:03}" for number in range(groups)):
        parts = {path.read_text() for path in (root / name).glob("part*")}
        if len(parts) != 1 or published[name] > 1:
            wrong.append(name)
    robbed = 0
    for (name, number), (when, _) in took.items():
        before = took.get((name, number - 1))
        spans = harmed.get(before[1], []) if before else []
        # A generous grace: a stopped process may take long to give its next sign of life on a busy machine.
        robbed += before is not None and not any(begin <= when <= end + patience + 60 for begin, end in spans)
    return {
        "groups": groups,
        "claims": len(took),
        "taken over": sum(number > 1 for _, number in took),
        "living owners robbed": robbed,
        "lost, mixed or published twice": wrong,
    }


def shared(place: Path) -> None:
    seconds = {}
    for processes in (1, 4):
        command = [
            sys.executable,
            "-m",
            "cooperbench.cli.main",
            "run",
            "-s",
            "demo",
            "--limit",
            "25",
            "-k",
            "2",
            "-a",
            "nop",
        ]
        command += [
            "--no-auto-eval",
            "-n",
            f"by{processes}",
            "--log-dir",
            str(place),
            "-c",
            str(4 // processes),
            "--claim",
        ]
        began = time.monotonic()
        started = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(processes)
        ]
        if any(process.wait() for process in started):
            raise SystemExit("a process failed")
        seconds[processes] = time.monotonic() - began
    print(
        f"50 episodes, 4 at once: one process {seconds[1]:.1f} s, four processes {seconds[4]:.1f} s, ratio {seconds[4] / seconds[1]:.2f}"
    )


def large(place: Path, groups: int) -> None:
    from cooperbench.records import RunConfig
    from cooperbench.records.runs import open_run, read_run
    from cooperbench.records.summary import read_episodes, summarize

    command = [
        sys.executable,
        "-m",
        "cooperbench.cli.main",
        "run",
        "-s",
        "demo",
        "--limit",
        "1",
        "-a",
        "nop",
        "-n",
        "large",
    ]
    subprocess.run([*command, "--no-auto-eval", "--log-dir", place], check=True, capture_output=True)
    directory, config = open_run("large", place)
    [group] = config.groups
    source = directory.episode(config.setting, group).path
    found = tuple(group.model_copy(update={"repeat": repeat}) for repeat in range(1, groups + 1))
    for each in found[1:]:
        target = directory.episode(config.setting, each).path
        target.mkdir()
        for file in ("result.json", *(patch.name for patch in source.glob("*.patch"))):
            os.link(source / file, target / file)
    config = RunConfig.model_validate(config.model_copy(update={"groups": found}))
    directory.config.write_text(config.model_dump_json())
    for name, action in {
        "runs list": lambda: read_run("large", place),
        "summary": lambda: summarize(directory, config, read_episodes(directory, config)),
    }.items():
        began = time.perf_counter()
        action()
        print(f"{name} of {groups:,} groups: {time.perf_counter() - began:.1f} s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("costs", "strikes", "shared", "large"))
    options.add_argument("--directory", type=Path)
    options.add_argument("--processes", type=int, default=16)
    options.add_argument("--groups", type=int, help="652 for strikes and 10,000 for large by default")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--pause", type=float, default=0.25, help="mean seconds between two strikes")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as place:
        if given.what == "strikes":
            strikes(Path(place), given.processes, given.groups or 652, given.seed, given.pause)
        elif given.what == "large":
            large(Path(place), given.groups or 10_000)
        else:
            {"costs": costs, "shared": shared}[given.what](Path(place))


if __name__ == "__main__":
    main()
