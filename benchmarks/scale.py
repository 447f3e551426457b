"""Many scripted episodes at once: concurrency achieved, memory of a live agent, share of the harness in the time.

    python benchmarks/scale.py 25 50 100 200          numbers of episodes (of two agents each)
    python benchmarks/scale.py --turns 10 5           shorter episodes, to see whether it works

The model answers in two seconds, so a run cannot take less than its turns; what it takes besides is the harness, the sandboxes, and the
wait for a processor. Prints a table with the growth from the smallest to the largest number, and writes it with a plot to
benchmarks/results/scale.json and docs/design/scale.svg, after each run, so that one that is broken off leaves what was measured.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from teams import write_dataset, write_script

from cooperbench.runner import read_run

DELAY = 2.0
SHARE_OF_LOOKING = 0.02
"""Of a processor's time, at most: a look at 400 agents takes a second, in which the kernel walks through the pages of all processes."""
RESULTS = Path(__file__).parent / "results"
PLOT = Path(__file__).parents[1] / "docs" / "design" / "scale.svg"


@dataclass
class Measurement:
    """One run."""

    episodes: int
    agents: int
    achieved: float
    """Percent of the requested concurrency."""
    seconds: float
    episode_seconds: float
    """Of the mean episode, of which the model takes `model_seconds`."""
    model_seconds: float
    harness_percent: float
    """Of the mean episode's time."""
    agent_megabytes: float
    """Proportional set size of a worker and its guard, when most were alive."""
    sandbox_megabytes: float
    """Of one agent's sandbox."""
    runner_megabytes: float
    """With its fork server and its broker."""
    processor_percent: float
    """How busy all processors of the machine were, with whatever else ran there."""
    failed: int


def main() -> None:
    parser = argparse.ArgumentParser(description="Many scripted episodes at once.")
    parser.add_argument("episodes", nargs="*", type=int, default=[25, 50, 100, 200])
    parser.add_argument("--turns", type=int, default=100)
    asked = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    measured: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["COOPERBENCH_CACHE_DIR"] = str(place / "cache")
        dataset = write_dataset(place / "dataset", episodes=max(asked.episodes))
        model = write_script(place / "script.yaml", turns=asked.turns, delay=DELAY)
        for number in asked.episodes:
            measured.append(measure(place, dataset, model, number, asked.turns))
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / "scale.json").write_text(json.dumps([asdict(each) for each in measured], indent=2) + "\n")
            PLOT.write_text(plot(measured))
    show(measured)


def show(measured: list[Measurement]) -> None:
    """Print the table, and how much more the largest run needed than the smallest."""
    print("\nepisodes  agents  achieved  seconds  harness  MB/agent  MB/sandbox  MB runner  processors  failed")
    for each in measured:
        print(
            f"{each.episodes:8}  {each.agents:6}  {each.achieved:7.1f}%  {each.seconds:7.1f}  {each.harness_percent:6.1f}%"
            f"  {each.agent_megabytes:8.1f}  {each.sandbox_megabytes:10.1f}  {each.runner_megabytes:9.1f}"
            f"  {each.processor_percent:9.0f}%  {each.failed:6}"
        )
    first, last = measured[0], measured[-1]
    if first is not last:
        print(
            f"\nfrom {first.agents} to {last.agents} agents ({last.agents / first.agents:.1f} times): "
            f"time {last.seconds / first.seconds:.2f} times, "
            f"memory of an agent {last.agent_megabytes / first.agent_megabytes:.2f} times, "
            f"of the runner {last.runner_megabytes / first.runner_megabytes:.2f} times"
        )


def measure(place: Path, dataset: Path, model: str, episodes: int, turns: int) -> Measurement:
    name = f"scale-{episodes}"
    subset = place / "dataset" / "subsets" / f"{name}.json"
    subset.parent.mkdir(exist_ok=True)
    subset.write_text(json.dumps({"name": name, "tasks": _entries(dataset, episodes)}))
    command = [sys.executable, "-m", "cooperbench.cli.main", "run", "-n", name, "-s", name, "-m", model, "--json"]
    command += ["--dataset-dir", str(dataset), "--log-dir", str(place / "logs"), "--backend", "local"]
    command += ["-c", str(episodes), "--no-auto-eval"]
    begun = time.monotonic()
    busy = processor_seconds()
    peak = Memory(0.0, 0.0, 0.0, 0, 0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as runner:
        try:
            while runner.poll() is None:
                looked = time.process_time()
                peak = max(peak, memory(runner.pid), key=lambda sample: (sample.agents, sample.workers))
                looked = time.process_time() - looked
                with contextlib.suppress(subprocess.TimeoutExpired):
                    runner.wait(max(5.0, looked / SHARE_OF_LOOKING))
        except BaseException:
            runner.terminate()  # ends its episodes and sandboxes
            raise
    seconds = time.monotonic() - begun
    busy = processor_seconds() - busy
    result = read_run(name, place / "logs")
    recorded = json.loads((place / "logs" / name / "summary.json").read_text())
    done = [episode.result for episode in result.episodes if episode.result]
    mean = sum(each.duration_seconds for each in done) / max(1, len(done))
    waiting = turns * DELAY
    measurement = Measurement(
        episodes=episodes,
        agents=2 * episodes,
        achieved=round(100 * (recorded["achieved_concurrency"] or 0) / episodes, 1),
        seconds=round(seconds, 1),
        episode_seconds=round(mean, 1),
        model_seconds=waiting,
        harness_percent=round(100 * (mean - waiting) / mean, 1) if done else 100.0,
        agent_megabytes=round(peak.workers / max(1, peak.agents), 1),
        sandbox_megabytes=round(peak.sandboxes / max(1, peak.agents), 1),
        runner_megabytes=round(peak.runner, 1),
        processor_percent=round(100 * busy / seconds / (os.cpu_count() or 1), 1),
        failed=result.summary.planned - result.summary.completed,
    )
    print(measurement, flush=True)
    for each in done:
        if each.error is not None:
            print(f"  {each.repo}/{each.task_id} {each.features}: {each.error.kind}: {each.error.message}", flush=True)
    return measurement


def _entries(dataset: Path, episodes: int) -> list[dict[str, object]]:
    pairs = [[first, second] for first in range(1, 8) for second in range(first + 1, 8)]
    entries: list[dict[str, object]] = []
    for path in sorted(dataset.glob("shelfdb_task/task*")):
        taken, episodes = pairs[:episodes], max(0, episodes - len(pairs))
        if taken:
            entries.append({"repo": "shelfdb_task", "task_id": int(path.name[4:]), "pairs": taken})
    return entries


class Memory(NamedTuple):
    """Megabytes at one moment."""

    workers: float
    sandboxes: float
    runner: float
    agents: int
    processes: int


def memory(runner: int) -> Memory:
    """Measure what a run uses: its agents, their sandboxes, and the rest of its processes."""
    parents = {int(path.parent.name): _parent(path) for path in Path("/proc").glob("[0-9]*/stat")}
    children: dict[int, list[int]] = {}
    for process, parent in parents.items():
        children.setdefault(parent, []).append(process)
    servers = [process for process in children.get(runner, []) if "fork_server" in _words(process)]
    guards = [guard for server in servers for guard in children.get(server, [])]
    workers = [worker for guard in guards for worker in children.get(guard, [])]
    sandboxes = [process for process in parents if os.environ["COOPERBENCH_CACHE_DIR"] in _words(process)]
    inside = _descendants(sandboxes, children) - set(workers)
    others = _descendants([runner], children) - set(guards) - set(workers) - inside
    return Memory(
        workers=sum(map(_pss, [*guards, *workers])),
        sandboxes=sum(map(_pss, inside)),
        runner=sum(map(_pss, others)),
        agents=len(workers),
        processes=len(inside | others) + len(guards) + len(workers),
    )


def _descendants(roots: list[int], children: dict[int, list[int]]) -> set[int]:
    found: set[int] = set()
    left = list(roots)
    while left:
        process = left.pop()
        if process not in found:
            found.add(process)
            left += children.get(process, [])
    return found


def processor_seconds() -> float:
    """Seconds that the machine's processors have worked so far."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = [int(word) for word in words]
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _words(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _pss(process: int) -> float:
    """Proportional set size in megabytes: shared pages count in parts."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def plot(measured: list[Measurement]) -> str:
    """Seconds and memory over the number of agents, each line scaled from nothing to its own maximum."""
    width, height, margin = 560, 300, 50
    series = {
        "seconds": [each.seconds for each in measured],
        "MB of all agents": [each.agent_megabytes * each.agents for each in measured],
        "MB of the runner, its server and broker": [each.runner_megabytes for each in measured],
    }
    most = max(each.agents for each in measured)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
    ]
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for (name, values), colour in zip(series.items(), ("#1f77b4", "#d62728", "#2ca02c"), strict=True):
        top = max(*values, 0.1)
        points = [
            (margin + (width - 2 * margin) * each.agents / most, height - margin - (height - 2 * margin) * value / top)
            for each, value in zip(measured, values, strict=True)
        ]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        place = 15 * (1 + list(series).index(name))
        parts.append(f'<text x="{margin}" y="{place}" fill="{colour}">{name}, at most {top:.0f}</text>')
    for each in measured:
        x = margin + (width - 2 * margin) * each.agents / most
        parts.append(f'<text x="{x:.0f}" y="{height - margin + 15}" text-anchor="middle">{each.agents}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">agents at the same time</text></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
