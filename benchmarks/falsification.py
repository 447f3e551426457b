"""Seconds and suites that falsification costs.

    python benchmarks/falsification.py -s demo [-r REPO] [--backend local] [--workers 6] [--repeats 3] [--json FILE]

Evaluates pairs of gold patches with and without, in turn, when all that is measured by is there. How often correct work is accused
is counted by `false_alarms.py`.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from cooperbench.evaluation import EvaluationSettings, evaluate_submissions, make_submission
from cooperbench.records import EvaluationChoices, Falsify
from cooperbench.tasks import Task, discover_tasks


def cost(arguments: argparse.Namespace) -> dict[str, object]:
    rows = []
    for task in discover_tasks(arguments.dataset_dir, arguments.subset, arguments.repo):
        for pair in _pairs(task):
            rows.append({"task": task.key, "pair": pair, **_cost_of(task, pair, arguments)})
            print(rows[-1], flush=True)
    extra = sum(row["extra"] for row in rows) / max(sum(row["suites"] for row in rows), 0.001)
    ratios = [statistics.median(row["on"]) / statistics.median(row["off"]) for row in rows]
    return {"rows": rows, "extra suites of a passing one": round(extra, 2), "wall, median": statistics.median(ratios)}


def _cost_of(task: Task, pair: tuple[int, int], arguments: argparse.Namespace) -> dict[str, Any]:
    """Evaluate a pair in turning modes. With one seed the first evaluation makes all that is measured by, and is counted apart."""
    row: dict[str, Any] = {"on": [], "off": []}
    patches = [
        (make_submission(f"agent{number}", (number,), patch), patch)
        for number, patch in ((number, task.features[number].gold_patch) for number in pair)
    ]
    modes: tuple[Falsify, ...] = ("on", *("off", "on") * arguments.repeats)
    for position, mode in enumerate(modes):
        choices = EvaluationChoices(singles="none", falsify=mode)
        settings = EvaluationSettings(arguments.backend, "union", choices, workers=arguments.workers)
        begun = time.monotonic()
        evaluation = evaluate_submissions(task, pair, patches, settings, seed="cost")
        seconds = round(time.monotonic() - begun, 2)
        suites = evaluation.stages[-1].suites
        if position == 0:
            row["first"] = seconds
            continue
        row[mode].append(seconds)
        row["suites"] = round(sum(suite.seconds for suite in suites), 2)
        if mode == "on":
            row["extra"] = round(sum(s.falsification.seconds for s in suites if s.falsification), 2)
    return row


def _pairs(task: Task) -> list[tuple[int, int]]:
    numbers = list(task.features)
    return list(zip(numbers[::2], numbers[1::2], strict=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-s", "--subset")
    parser.add_argument("-r", "--repo")
    parser.add_argument("--dataset-dir", type=Path)
    parser.add_argument("--backend", default="local")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = cost(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
