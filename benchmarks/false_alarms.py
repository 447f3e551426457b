"""How often falsification accuses correct work.

    python benchmarks/false_alarms.py [-s demo] [-r REPO] [--dataset-dir DIR] [--backend local] [--rounds 6] [--works DIR]
    python benchmarks/false_alarms.py --small go,rust,typescript,vitest
    python benchmarks/false_alarms.py --report

Correct work runs on suites with broken tests, and has to come out as the gold patch does: the gold patch itself, `combined.patch`, the union of
the gold patch with each other one that merges, the gold patch rewritten in several ways (`rewriting.py`), and every
`DIR/<task>/feature<N>/*.patch`. Work that fails the real suite is left out. Every run is a line of a file in the cache directory, so that the
command can be stopped at any time and goes on where it was; `--report` only counts.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rewriting import rewrites_of
from cooperbench.environments import SandboxLabels
from cooperbench.errors import CooperBenchError
from cooperbench.evaluation import EvaluationSettings
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.falsification.challenges import BrokenSuite, Challenge, make_challenge
from cooperbench.evaluation.falsification.gold_runs import FeatureRuns
from cooperbench.evaluation.falsification.mismatches import find_mismatch
from cooperbench.evaluation.falsification.pool import EDITS, Pool
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.merging import merge_members
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.evaluation.suite_verdict import suite_verdict
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import EvaluationChoices, Outcome, cache_dir, read_model, write_model
from cooperbench.tasks import Task, discover_tasks
from tests.evaluation.languages import LANGUAGES, VITEST, make_task

AGREED, ONCE, ALARM, FAILING = "agreed", "only once", "alarm", "fails the real suite"


class Notes:
    """What was run, one line of a file each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self._known = {line["key"]: line for line in map(json.loads, lines)}  # two processes may have run the same
        self.lines = list(self._known.values())

    def find(self, key: str) -> dict[str, Any] | None:
        """Return what is known of a run."""
        return self._known.get(key)

    def add(self, key: str, **facts: object) -> None:
        """Write down a run."""
        with self._lock, self.path.open("a") as stream:
            line = {"key": key, **facts}
            self.lines.append(line)
            self._known[key] = line
            stream.write(json.dumps(line) + "\n")

    def table(self) -> str:
        """Return the counts by kind of work, in Markdown."""
        kinds = sorted({line["kind"] for line in self.lines})
        rows = ["| work | features | patches | runs | mismatches | confirmed: false alarms |", "|" + "---|" * 6]
        for kind in [*kinds, "all"]:
            mine = [line for line in self.lines if kind in ("all", line["kind"]) and line["outcome"] != FAILING]
            outcomes = Counter(line["outcome"] for line in mine)
            features = len({(line["task"], line["feature"]) for line in mine})
            works = len({(line["task"], line["feature"], line["tree"]) for line in mine})
            found = outcomes[ONCE] + outcomes[ALARM]
            rows.append(f"| {kind} | {features} | {works} | {len(mine)} | {found} | {outcomes[ALARM]} |")
        return "\n".join(rows)


class Feature:
    """Correct work for one feature, and its challenges."""

    def __init__(self, bench: TestBench, number: int, arguments: argparse.Namespace, notes: Notes) -> None:
        self.bench, self.number, self.arguments, self.notes = bench, number, arguments, notes
        reference = bench.reference(number)
        self.gold = self._applied(bench.task.features[number].gold_patch)
        self.runs = FeatureRuns(bench.runner, number, self.gold, reference, skip_install=False)
        self.pool: Pool = bench.breakable(reference)
        self._facts = {"task": bench.task.key, "feature": number}

    def round(self, position: int) -> None:
        """Run all works on one challenge."""
        challenge = self._challenge(position)
        if challenge is None:
            return
        with ThreadPoolExecutor(self.arguments.workers) as threads:
            list(threads.map(lambda work: self._try(*work, challenge), list(self._works())))

    def _challenge(self, position: int) -> Challenge | None:
        if not self.pool.breakable:
            return None
        path = self.notes.path.parent / "challenges" / self.bench.address(str(self.number), EDITS) / f"{position}.json"
        if path.is_file():
            return read_model(path, Challenge)
        made = make_challenge(self.runs, self.pool, position)
        if made is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_model(path, made)
        return made

    def _key(self, *parts: str) -> str:
        address = self.bench.address(str(self.number), EDITS)
        return hashlib.sha256("\0".join((address, *parts)).encode()).hexdigest()[:24]

    def _try(self, kind: str, tree: str, challenge: Challenge) -> None:
        facts = {**self._facts, "kind": kind, "tree": tree}
        real = self._key(tree)
        known = self.notes.find(real)
        if known is None:
            passed = suite_verdict(self.number, self.runs.run(tree), self.runs.reference).outcome is Outcome.PASSED
            if not passed:
                self.notes.add(real, **facts, outcome=FAILING)
                return
        elif known["outcome"] == FAILING:
            return
        for suite in challenge.suites:
            key = self._key(tree, suite.model_dump_json())
            if self.notes.find(key) is None:
                outcome, example = self._outcome(tree, suite)
                self.notes.add(key, **facts, outcome=outcome, example=example)

    def _outcome(self, tree: str, suite: BrokenSuite) -> tuple[str, str]:
        broken = [(each.shown.path, each.edit) for each in suite.functions]
        first = find_mismatch(self.runs.run(tree, broken), suite, self.runs.reference)
        if first is None:
            return AGREED, ""
        again = find_mismatch(self.runs.run(tree, broken), suite, self.runs.reference)
        return (ONCE if again is None else ALARM), (again or first).model_dump_json()

    def _applied(self, patch: bytes) -> str:
        tree = apply_exactly(self.bench.store, self.bench.base.tree, patch)
        assert tree is not None, f"{self.bench.task.key} {self.number}: the gold patch does not apply"
        return tree

    def _works(self) -> Iterator[tuple[str, str]]:
        """Yield kind and tree of every correct work."""
        task, store, base = self.bench.task, self.bench.store, self.bench.base.tree
        yield "gold", self.gold
        if task.combined_patch and (tree := apply_exactly(store, base, task.combined_patch)):
            yield "combined", tree
        for other in task.features:
            patch = apply_exactly(store, base, task.features[other].gold_patch)
            if other != self.number and patch is not None:
                merged = merge_members(store, base, {"agent1": self.gold, "agent2": patch}, union=True)
                if merged.tree is not None:
                    yield "union", merged.tree
        yield from self._rewritten()
        folder = self.arguments.works
        for path in (
            sorted(folder.glob(f"{task.repo}/task{task.task_id}/feature{self.number}/*.patch")) if folder else ()
        ):
            if tree := apply_exactly(store, base, path.read_bytes()):
                yield "given", tree

    def _rewritten(self) -> Iterator[tuple[str, str]]:
        store = self.bench.store
        changes = [each for each in store.changes(self.bench.base.tree, self.gold) if not each.deleted]
        names = {name: None for change in changes for name in rewrites_of(change.path)}
        for name in names:
            entries = []
            for change in changes:
                if rewrite := rewrites_of(change.path).get(name):
                    blob = store.write_blob(rewrite(change.path, store.blob(change.new_blob)))
                    entries.append((change.path, change.new_mode, blob))
            tree = store.edit_tree(self.gold, entries)
            if tree != self.gold:
                yield f"gold, {name}", tree


def tasks_of(arguments: argparse.Namespace, folder: Path) -> list[Task]:
    if not arguments.small:
        return discover_tasks(arguments.dataset_dir, arguments.subset, arguments.repo)
    known = {**LANGUAGES, "vitest": VITEST}
    return [make_task(known[name], folder / name, f"basket_{name}")[0] for name in arguments.small.split(",")]


def count(arguments: argparse.Namespace, notes: Notes, folder: Path) -> None:
    """Go through all tasks once for each round, so that whatever is there when it stops has seen all of them."""
    tasks = tasks_of(arguments, folder)
    settings = EvaluationSettings(
        arguments.backend, choices=EvaluationChoices(network=arguments.network), workers=arguments.workers
    )
    for position in range(arguments.rounds):
        for task in tasks:
            base = base_of(task, arguments.backend)
            with open_store(base.store) as store:
                bench = TestBench(task, base, store, settings, SandboxLabels(run="benchmark"))
                for number in task.features:
                    try:
                        Feature(bench, number, arguments, notes).round(position)
                    except CooperBenchError as error:
                        print(task.key, number, error, file=sys.stderr)
                    runs = Counter(line["outcome"] for line in notes.lines)
                    print(f"round {position}, {task.key} {number}: {dict(runs)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-s", "--subset")
    parser.add_argument("-r", "--repo")
    parser.add_argument("--dataset-dir", type=Path)
    parser.add_argument("--small", help="small tasks of these languages instead: " + ", ".join([*LANGUAGES, "vitest"]))
    parser.add_argument("--backend", default="local")
    parser.add_argument("--rounds", type=int, default=6, help="challenges for each feature")
    parser.add_argument("--network", choices=("none", "default"), default="none", help="for runners that install")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--works", type=Path, help="folder of further correct patches")
    parser.add_argument("--report", action="store_true", help="print what was counted so far")
    arguments = parser.parse_args()
    notes = Notes(cache_dir() / "benchmarks" / "false_alarms.jsonl")
    if not arguments.report:
        with tempfile.TemporaryDirectory() as folder:
            count(arguments, notes, Path(folder))
    print(notes.table())
    for line in notes.lines:
        if line["outcome"] in (ONCE, ALARM):
            print(f"- {line['outcome']}: {line['task']} {line['feature']}, {line['kind']}: {line['example']}")


if __name__ == "__main__":
    main()
