"""Seconds per evaluated pair against two floors, on any data set with images in Docker.

    python benchmarks/evaluate.py --dataset-dir DIR [-s SUBSET] [-r REPO] [-t TASK] [--pairs 20] [--seed 1] [--json FILE]

The floors are a bare script in one `docker run --rm`: apply and commit both gold patches, `git merge` (again with merge=union where
it conflicts), then each feature's hidden tests once. The *runner floor* calls the task's runner as it is; the *bare floor* the
same runner without its lines that install. Every pair is measured in all ways, one after the other and in turning order, so that
whatever else the machine does meets all of them. `once` leaves out installing again where that was seen to change nothing;
`always` lets the runner install. Both are warm: base trees and the gold patches' own runs are in the cache, and the time that took
is printed apart. Verdicts are compared too.
"""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cooperbench.evaluation import apply_policy, base_of, gold_conflicts, score
from cooperbench.records import Evaluation
from cooperbench.tasks import Group, Task, discover_groups, discover_tasks

MERGE = """
set -e
cd /workspace/repo
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x
base=$(git rev-parse HEAD)
for n in 1 2; do
    git checkout -q --detach "$base"
    git apply --index "/patches/feature$n.patch"
    git commit -q --no-verify -m "$n"
    eval "c$n=$(git rev-parse HEAD)"
done
git checkout -q --detach $c1
if ! git merge -q --no-edit $c2 >/dev/null 2>&1; then
    git merge --abort
    echo '* merge=union' >.git/info/attributes
    git merge -q --no-edit $c2 >/dev/null 2>&1 || exit 3
    rm .git/info/attributes
fi
git diff --binary "$base" >/patches/merged.patch
git checkout -q --detach "$base"
status=0
for n in 1 2; do bash /patches/runner.sh tests$n.patch merged.patch || status=1; done
exit $status
"""

INSTALLS = re.compile(
    r"^[^#\n]*\b(?:pip3?\s+install|npm\s+(?:ci|install)|yarn\s+install|pnpm\s+install)\b.*$", re.MULTILINE
)


@dataclass
class Times:
    """Seconds and verdicts of one way, pair by pair."""

    seconds: list[float] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)


def floor(group: Group, *, install: bool) -> bool:
    """The bare script; whether both suites ended with exit code 0."""
    task = group.task
    runner = task.runner.decode()
    with tempfile.TemporaryDirectory() as folder:
        patches = Path(folder)
        for position, number in enumerate(group.features, start=1):
            (patches / f"feature{position}.patch").write_bytes(task.features[number].gold_patch)
            (patches / f"tests{position}.patch").write_bytes(task.features[number].tests_patch)
        (patches / "runner.sh").write_text(runner if install else INSTALLS.sub("true", runner))
        command = [
            "docker",
            "run",
            "--rm",
            "--init",
            "-v",
            f"{patches}:/patches",
            "--entrypoint",
            "bash",
            task.image,
            "-c",
            MERGE,
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def evaluated(group: Group, *, install: str) -> Evaluation:
    """Our way: merged like the floor, union where git conflicts."""
    patches = {number: group.task.features[number].gold_patch for number in group.features}
    assert install in ("once", "always")
    return score(
        group.task, patches, backend="docker", policy="union", install="once" if install == "once" else "always"
    )


def passed(evaluation: Evaluation) -> bool:
    """Whether the merged work passes. A failure of the evaluation has no place in a benchmark."""
    verdict = apply_policy("union", evaluation.stages, evaluation.features)
    assert evaluation.error is None, evaluation.error
    return verdict.passed


WAYS: dict[str, Callable[[Group], bool]] = {
    "runner floor": lambda group: floor(group, install=True),
    "bare floor": lambda group: floor(group, install=False),
    "once": lambda group: passed(evaluated(group, install="once")),
    "always": lambda group: passed(evaluated(group, install="always")),
}


def warm(tasks: list[Task]) -> float:
    """Base trees, and each gold patch's own run; what the first evaluations of an image pay."""
    started = time.monotonic()
    for task in tasks:
        for number, feature in task.features.items():
            score(task, {number: feature.gold_patch}, backend="docker")
    return time.monotonic() - started


def one_by_one(groups: list[Group], ways: list[str]) -> dict[str, Times]:
    """Every pair in every way, the ways in turning order."""
    times = {way: Times() for way in ways}
    for position, group in enumerate(groups):
        for offset in range(len(ways)):
            way = ways[(position + offset) % len(ways)]
            started = time.monotonic()
            verdict = WAYS[way](group)
            times[way].seconds.append(time.monotonic() - started)
            times[way].passed.append(verdict)
        shown = "  ".join(f"{way} {times[way].seconds[-1]:.2f}" for way in ways)
        print(f"{group.key}: {shown}", file=sys.stderr)
    return times


def throughput(groups: list[Group], ways: list[str], concurrency: int) -> dict[str, float]:
    """Pairs a minute with several pairs at a time."""
    rates = {}
    for way in ways:
        started = time.monotonic()
        with ThreadPoolExecutor(concurrency) as pool:
            list(pool.map(WAYS[way], groups))
        rates[way] = 60 * len(groups) / (time.monotonic() - started)
    return rates


def conflict_rate(tasks: list[Task]) -> float:
    """Conflict verdicts a minute, on the host."""
    bases = [base_of(task, "docker") for task in tasks]
    started = time.monotonic()
    count = sum(len(gold_conflicts(task, base)) for task, base in zip(tasks, bases, strict=True))
    return 60 * count / (time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset-dir", type=Path)
    parser.add_argument("-s", "--subset")
    parser.add_argument("-r", "--repo")
    parser.add_argument("-t", "--task")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", default=",".join(WAYS), help="comma-separated")
    parser.add_argument("--concurrency", type=int, default=2, help="of the measurement of throughput; 0 leaves it out")
    parser.add_argument("--json", type=Path, help="write everything to a file")
    options = parser.parse_args()
    tasks = discover_tasks(options.dataset_dir, options.subset, options.repo, options.task)
    groups = discover_groups(tasks, subset=options.subset)
    groups = random.Random(options.seed).sample(groups, min(options.pairs, len(groups)))
    ways = options.ways.split(",")
    chosen = list({group.task.key: group.task for group in groups}.values())
    warming = warm(chosen)
    times = one_by_one(groups, ways)
    rates = throughput(groups, ways, options.concurrency) if options.concurrency else {}
    medians = {way: statistics.median(times[way].seconds) for way in ways}
    print(f"{len(groups)} pairs; made warm in {warming:.1f} s; {conflict_rate(chosen):.0f} conflict verdicts a minute")
    print(f"{'way':<14} {'median s':>9} {'mean s':>8} {'/runner':>8} {'/bare':>7} {'passed':>7} {'pairs/min':>10}")
    for way in ways:
        ratios = [
            f"{medians[way] / medians[other]:.2f}" if other in medians else "-"
            for other in ("runner floor", "bare floor")
        ]
        mean = statistics.mean(times[way].seconds)
        rate = f"{rates[way]:.1f}" if way in rates else "-"
        print(
            f"{way:<14} {medians[way]:>9.2f} {mean:>8.2f} {ratios[0]:>8} {ratios[1]:>7} {sum(times[way].passed):>7} {rate:>10}"
        )
    differing = [
        group.key for position, group in enumerate(groups) if len({times[way].passed[position] for way in ways}) > 1
    ]
    print(f"pairs with differing verdicts: {', '.join(differing) or 'none'}")
    if options.json:
        facts = {
            "pairs": [group.key for group in groups],
            "seconds": {way: times[way].seconds for way in ways},
            "passed": {way: times[way].passed for way in ways},
            "pairs_per_minute": rates,
            "warming_seconds": warming,
        }
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
