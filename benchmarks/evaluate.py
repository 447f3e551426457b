"""Seconds per evaluated pair against two floors, on any data set with images in Docker.

    python benchmarks/evaluate.py --dataset-dir DIR [-s SUBSET] [-r REPO] [-t TASK] [--pairs 20] [--seed 1] [--json FILE]
    python benchmarks/evaluate.py --small python,uv,go,typescript --repeats 5

The second form makes small tasks of these languages (`small_tasks.py`), and prints their tables one by one.

The floors are a bare script in one `docker run --rm`: apply and commit both gold patches, `git merge` (again with merge=union where
it conflicts), then each feature's hidden tests once. The *runner floor* calls the task's runner as it is; the *bare floor* the
same runner without its lines that install, and with `UV_NO_SYNC` for `uv run`. `once` leaves out installing again where that was seen to change nothing;
`always` lets the runner install; `proven` is `once` with broken tests for what passes. All are warm: base trees and the gold patches' own runs are in the cache, and the time that took
is printed apart.

Everything is measured in turning order, so that whatever else the machine does meets all ways. First one pair at a time, each in
every way: the median, its ratio to both floors, what is not the runner (`harness`: starting, merging, applying, reading, stopping), and
the same for pairs whose naive merge conflicts. Then batches, at each `--concurrency`: pairs a minute, where `score_many` gets ready
for the next pair while tests run. Verdicts are compared too.
"""

import argparse
import json
import os
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
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.small_tasks import SMALL, small_group
from cooperbench.evaluation import (
    EvaluationSettings,
    ScoreRequest,
    apply_policy,
    base_of,
    evaluate_submissions,
    gold_conflicts,
    make_submission,
    score,
    score_many,
)
from cooperbench.records import Evaluation, EvaluationChoices, Falsify, Install, Outcome, StageStatus
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
begun=$(date +%s%N)
for n in 1 2; do bash /patches/runner.sh tests$n.patch merged.patch || status=1; done
echo $(($(date +%s%N) - begun)) >/patches/nanoseconds
exit $status
"""

INSTALLS = re.compile(
    r"^[^#\n]*\b(?:pip3?\s+install|uv\s+(?:venv|sync)|npm\s+(?:ci|install)|yarn\s+install|pnpm\s+install)\b.*$",
    re.MULTILINE,
)


class Answer(NamedTuple):
    """What one way says of one pair."""

    passed: bool
    tests: float
    """Seconds of the runner: of both suites one after the other in the floors, of the longer one where they run side by side."""
    conflict: bool | None = None
    """Whether git's own merge conflicts; `None` when nothing was said about that."""


@dataclass
class Times:
    """What one way came to, pair by pair."""

    seconds: list[float] = field(default_factory=list)
    harness: list[float] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)


def floor(group: Group, *, install: bool) -> Answer:
    """Run the bare script; it passes when both suites exit with 0."""
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
            *(() if install else ("-e", "UV_NO_SYNC=1")),
            "-v",
            f"{patches}:/patches",
            "--entrypoint",
            "bash",
            task.image,
            "-c",
            MERGE,
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode not in (125, 126, 127), done.stderr.decode()  # docker's own failures
        spent = patches / "nanoseconds"
        return Answer(done.returncode == 0, int(spent.read_text()) / 1e9 if spent.exists() else 0.0)


def answer(evaluation: Evaluation) -> Answer:
    """Ours, merged like the floor: union where git conflicts. A failure of the evaluation has no place in a benchmark."""
    assert evaluation.error is None, evaluation.error
    naive, union = evaluation.stages[:2]
    assert all(suite.outcome is not Outcome.INFRA_ERROR for suite in union.suites), union.suites
    return Answer(
        apply_policy("union", evaluation.stages, evaluation.features).passed,
        max((suite.seconds for suite in union.suites), default=0.0),
        naive.status is StageStatus.CONFLICT,
    )


def gold(group: Group) -> dict[int, bytes | str]:
    return {number: group.task.features[number].gold_patch for number in group.features}


def ours(group: Group, install: Install, falsify: Falsify) -> Answer:
    """Do what `score` does, with a known seed: what the gold patch has to show on broken tests is found out once."""
    patches = [(number, group.task.features[number].gold_patch) for number in group.features]
    submissions = [(make_submission(f"agent{number}", (number,), patch), patch) for number, patch in patches]
    choices = EvaluationChoices(singles="none", install=install, falsify=falsify)
    settings = EvaluationSettings("docker", "union", choices)
    return answer(evaluate_submissions(group.task, group.features, submissions, settings, seed="benchmark"))


def our_batch(groups: list[Group], concurrency: int, install: Install, falsify: Falsify) -> None:
    requests = [ScoreRequest(group.task, gold(group)) for group in groups]
    for scored in score_many(
        requests, backend="docker", policy="union", concurrency=concurrency, install=install, falsify=falsify
    ):
        answer(scored.evaluation)


def floor_batch(groups: list[Group], concurrency: int, install: bool) -> None:
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(partial(floor, install=install), groups))


RUNNER, BARE = "runner floor", "bare floor"
ONE: dict[str, Callable[[Group], Answer]] = {
    RUNNER: partial(floor, install=True),
    BARE: partial(floor, install=False),
    "once": partial(ours, install="once", falsify="off"),
    "always": partial(ours, install="always", falsify="off"),
    "proven": partial(ours, install="once", falsify="on"),
}
BATCH: dict[str, Callable[[list[Group], int], None]] = {
    RUNNER: partial(floor_batch, install=True),
    BARE: partial(floor_batch, install=False),
    "once": partial(our_batch, install="once", falsify="off"),
    "always": partial(our_batch, install="always", falsify="off"),
    "proven": partial(our_batch, install="once", falsify="on"),
}


def warm(groups: list[Group], ways: list[str]) -> float:
    """Read base trees, and run each gold patch alone and on broken tests, which the first evaluations of an image pay for."""
    started = time.monotonic()
    for task in {group.task.key: group.task for group in groups}.values():
        for number, feature in task.features.items():
            score(task, {number: feature.gold_patch}, backend="docker", falsify="off")
    if "proven" in ways:
        for group in {group.key: group for group in groups}.values():
            ours(group, "once", "on")
    return time.monotonic() - started


def one_by_one(groups: list[Group], ways: list[str]) -> tuple[dict[str, Times], list[bool]]:
    """Every pair in every way, the ways in turning order; and which pairs conflict."""
    times = {way: Times() for way in ways}
    conflicts = []
    for position, group in enumerate(groups):
        conflict = False
        for offset in range(len(ways)):
            way = ways[(position + offset) % len(ways)]
            started = time.monotonic()
            said = ONE[way](group)
            seconds = time.monotonic() - started
            times[way].seconds.append(seconds)
            times[way].harness.append(seconds - said.tests)
            times[way].passed.append(said.passed)
            conflict = conflict or bool(said.conflict)
        conflicts.append(conflict)
        shown = "  ".join(f"{way} {times[way].seconds[-1]:.2f}" for way in ways)
        print(f"{group.key}: {shown}{'  (conflict)' if conflict else ''}", file=sys.stderr)
    return times, conflicts


def in_batches(groups: list[Group], ways: list[str], concurrency: int) -> dict[str, float]:
    """Pairs a minute with several pairs at a time: the same batches in every way, the ways in turning order."""
    size = max(2 * concurrency, -(-len(groups) // 4))
    batches = [groups[start : start + size] for start in range(0, len(groups), size)]
    spent = dict.fromkeys(ways, 0.0)
    for position, batch in enumerate(batches):
        for offset in range(len(ways)):
            way = ways[(position + offset) % len(ways)]
            started = time.monotonic()
            BATCH[way](batch, concurrency)
            spent[way] += time.monotonic() - started
    return {way: 60 * len(groups) / seconds for way, seconds in spent.items()}


def conflict_rate(tasks: list[Task]) -> float:
    """Conflict verdicts a minute, on the host."""
    bases = [base_of(task, "docker") for task in tasks]
    started = time.monotonic()
    count = sum(len(gold_conflicts(task, base)) for task, base in zip(tasks, bases, strict=True))
    return 60 * count / (time.monotonic() - started)


def ratio(value: float, values: dict[str, float], other: str) -> str:
    return f"{value / values[other]:.2f}" if other in values else "-"


def show_pairs(times: dict[str, Times], conflicts: list[bool]) -> None:
    medians = {way: statistics.median(found.seconds) for way, found in times.items()}
    print(
        f"{'one pair':<14} {'median s':>9} {'/runner':>8} {'/bare':>7} {'harness s':>10} {'conflicting/clean':>18} {'passed':>7}"
    )
    for way, found in times.items():
        kinds = [
            [seconds for seconds, conflict in zip(found.seconds, conflicts, strict=True) if conflict is kind]
            for kind in (True, False)
        ]
        against = f"{statistics.median(kinds[0]) / statistics.median(kinds[1]):.2f}" if all(kinds) else "-"
        print(
            f"{way:<14} {medians[way]:>9.2f} {ratio(medians[way], medians, RUNNER):>8}"
            f" {ratio(medians[way], medians, BARE):>7} {statistics.median(found.harness):>10.2f}"
            f" {against:>18} {sum(found.passed):>7}"
        )


def show_batches(rates: dict[str, float], concurrency: int) -> None:
    print(f"{f'{concurrency} at a time':<14} {'pairs/min':>9} {'/runner':>8} {'/bare':>7}")
    for way, rate in rates.items():
        print(f"{way:<14} {rate:>9.1f} {ratio(rate, rates, RUNNER):>8} {ratio(rate, rates, BARE):>7}")


def measure(groups: list[Group], options: argparse.Namespace) -> dict[str, object]:
    """Measure these pairs, print their tables, and return every number."""
    ways = options.ways.split(",")
    chosen = list({group.task.key: group.task for group in groups}.values())
    warming = warm(groups, ways)
    print(f"{len(groups)} pairs; made warm in {warming:.1f} s; {conflict_rate(chosen):.0f} conflict verdicts a minute")
    times, conflicts = one_by_one(groups, ways)
    show_pairs(times, conflicts)
    rates = {}
    for concurrency in map(int, filter(None, options.concurrency.split(","))):
        rates[concurrency] = in_batches(groups, ways, concurrency)
        show_batches(rates[concurrency], concurrency)
    differing = [
        group.key for position, group in enumerate(groups) if len({times[way].passed[position] for way in ways}) > 1
    ]
    print(f"pairs with differing verdicts: {', '.join(differing) or 'none'}", flush=True)
    return {
        "pairs": [group.key for group in groups],
        "conflicts": conflicts,
        "seconds": {way: found.seconds for way, found in times.items()},
        "harness": {way: found.harness for way, found in times.items()},
        "passed": {way: found.passed for way, found in times.items()},
        "pairs_per_minute": rates,
        "warming_seconds": warming,
    }


def chosen_groups(options: argparse.Namespace, folder: Path) -> dict[str, list[Group]]:
    """Return the pairs to measure, by the title of their tables: small tasks each by itself, those of a data set together."""
    if options.small:
        return {name: [small_group(name, folder / name)] for name in options.small.split(",")}
    tasks = discover_tasks(options.dataset_dir, options.subset, options.repo, options.task)
    groups = discover_groups(tasks, subset=options.subset)
    return {"all": random.Random(options.seed).sample(groups, min(options.pairs, len(groups)))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset-dir", type=Path)
    parser.add_argument("-s", "--subset")
    parser.add_argument("-r", "--repo")
    parser.add_argument("-t", "--task")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", default=",".join(ONE), help="comma-separated")
    parser.add_argument("--concurrency", default="1,2", help="of the batches, comma-separated; empty leaves them out")
    parser.add_argument("--json", type=Path, help="write everything to a file")
    parser.add_argument("--small", help="make these small tasks instead, comma-separated: " + ", ".join(SMALL))
    parser.add_argument("--repeats", type=int, default=1, help="measure every pair so often")
    options = parser.parse_args()
    facts = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, groups in chosen_groups(options, Path(folder)).items():
            print(f"\n{title}; load {os.getloadavg()[0]:.1f}")
            facts[title] = measure([group for group in groups for _ in range(options.repeats)], options)
            if options.json:
                options.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
