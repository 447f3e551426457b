"""Many scripted episodes at once: concurrency achieved, memory of a live agent, share of the harness in the time.

    python benchmarks/scale.py 25 50 100 200          numbers of episodes (of two agents each)

Prints a table and writes it with a plot to benchmarks/results/scale.{json,svg}.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from teams import write_dataset, write_script

from cooperbench.runner import read_run

TURNS = 30
DELAY = 2.0
RESULTS = Path(__file__).parent / "results"


@dataclass
class Measurement:
    """One run."""

    episodes: int
    agents: int
    achieved: float
    """Percent of the requested concurrency."""
    seconds: float
    harness_percent: float
    """Of the mean episode's time."""
    agent_megabytes: float
    """Proportional set size of a worker, at the peak."""
    sandbox_megabytes: float
    runner_megabytes: float
    failed: int


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:]] or [25, 50, 100, 200]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["COOPERBENCH_CACHE_DIR"] = str(place / "cache")
        dataset = write_dataset(place / "dataset", episodes=max(numbers))
        model = write_script(place / "script.yaml", turns=TURNS, delay=DELAY)
        measured = [measure(place, dataset, model, number) for number in numbers]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scale.json").write_text(json.dumps([asdict(each) for each in measured], indent=2) + "\n")
    (RESULTS / "scale.svg").write_text(plot(measured))


def measure(place: Path, dataset: Path, model: str, episodes: int) -> Measurement:
    name = f"scale-{episodes}"
    subset = place / "dataset" / "subsets" / f"{name}.json"
    subset.parent.mkdir(exist_ok=True)
    subset.write_text(json.dumps({"name": name, "tasks": _entries(dataset, episodes)}))
    command = [sys.executable, "-m", "cooperbench.cli.main", "run", "-n", name, "-s", name, "-m", model, "--json"]
    command += ["--dataset-dir", str(dataset), "--log-dir", str(place / "logs"), "--backend", "local"]
    command += ["-c", str(episodes), "--no-auto-eval"]
    begun = time.monotonic()
    peak = (0.0, 0.0, 0.0, 0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as runner:
        while runner.poll() is None:
            seen = memory(runner.pid)
            peak = max(peak, seen, key=lambda sample: sample[3])
            time.sleep(5)
    seconds = time.monotonic() - begun
    result = read_run(name, place / "logs")
    recorded = json.loads((place / "logs" / name / "summary.json").read_text())
    done = [episode.result for episode in result.episodes if episode.result]
    mean = sum(each.duration_seconds for each in done) / len(done)
    workers, sandboxes, runner_memory, count = peak
    measurement = Measurement(
        episodes=episodes,
        agents=2 * episodes,
        achieved=round(100 * recorded["achieved_concurrency"] / episodes, 1),
        seconds=round(seconds, 1),
        harness_percent=round(100 * (mean - TURNS * DELAY) / mean, 1),
        agent_megabytes=round(workers / max(1, count), 1),
        sandbox_megabytes=round(sandboxes / max(1, count), 1),
        runner_megabytes=round(runner_memory, 1),
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


def memory(runner: int) -> tuple[float, float, float, int]:
    """Megabytes of workers, of sandboxes and of the runner, and the number of workers."""
    parents = {int(path.parent.name): _parent(path) for path in Path("/proc").glob("[0-9]*/stat")}
    servers = [process for process, parent in parents.items() if parent == runner and "fork_server" in _words(process)]
    workers = [process for process, parent in parents.items() if parent in servers]
    sandboxes = [process for process in parents if os.environ["COOPERBENCH_CACHE_DIR"] in _words(process)]
    return sum(map(_pss, workers)), sum(map(_pss, sandboxes)), _pss(runner), len(workers)


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
    """Seconds and memory over the number of agents, each line scaled to its own maximum."""
    width, height, margin = 560, 300, 50
    series = {
        "seconds": [each.seconds for each in measured],
        "MB of all workers": [each.agent_megabytes * each.agents for each in measured],
        "MB of the runner": [each.runner_megabytes for each in measured],
    }
    most = max(each.agents for each in measured)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
    ]
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for (name, values), colour in zip(series.items(), ("#1f77b4", "#d62728", "#2ca02c"), strict=True):
        top = max(values)
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
