"""False alarms and costs of falsification.

    python benchmarks/falsification.py alarms -s demo [-r REPO] [--backend local] [--challenges 8] [--works DIR] [--json FILE]
    python benchmarks/falsification.py cost -s demo [-r REPO] [--backend local] [--workers 6] [--repeats 3] [--json FILE]

`alarms` runs correct work on challenges, and counts the runs that come out otherwise than the gold patch's: the gold patch itself,
`combined.patch`, the union of the gold patch with each other one that merges, the gold patch with its Python rewritten (local names, layout),
and every `DIR/<task>/feature<N>/*.patch`. Work that fails the real suite is left out. `cost` evaluates pairs of gold patches
with and without, in turn, when all that is measured by is there.
"""

import argparse
import ast
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cooperbench.environments import SandboxLabels
from cooperbench.errors import CooperBenchError
from cooperbench.evaluation import EvaluationSettings, evaluate_submissions, make_submission
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.falsification.challenges import Challenge, make_challenge
from cooperbench.evaluation.falsification.gold_runs import FeatureRuns
from cooperbench.evaluation.falsification.mismatches import find_mismatch
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.merging import merge_members
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.evaluation.suite_verdict import suite_verdict
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import EvaluationChoices, Falsify, Outcome
from cooperbench.tasks import Task, discover_tasks


@dataclass
class Counts:
    """Runs of correct work on broken suites, by the kind of the work."""

    runs: Counter[str] = field(default_factory=Counter)
    once: Counter[str] = field(default_factory=Counter)
    """Mismatches that a second run did not confirm."""
    alarms: Counter[str] = field(default_factory=Counter)
    failing: Counter[str] = field(default_factory=Counter)
    """Works left out, because they fail the real suite."""
    examples: list[str] = field(default_factory=list)
    fail_to_pass: int = 0
    breakable: int = 0
    quiet: int = 0
    edits: Counter[str] = field(default_factory=Counter)


def alarms(arguments: argparse.Namespace) -> dict[str, object]:
    counts = Counts()
    for task in discover_tasks(arguments.dataset_dir, arguments.subset, arguments.repo):
        base = base_of(task, arguments.backend)
        with open_store(base.store) as store:
            bench = TestBench(task, base, store, EvaluationSettings(arguments.backend), SandboxLabels(run="benchmark"))
            for feature in arguments.features or task.features:
                try:
                    _alarms_of(bench, feature, arguments, counts)
                except CooperBenchError as error:
                    counts.examples.append(f"{task.key} {feature}: {error}")
                print(task.key, feature, _short(counts), flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps(_as_json(counts), indent=1))
    return _as_json(counts)


def _short(counts: Counts) -> str:
    return f"runs {sum(counts.runs.values())}, once {sum(counts.once.values())}, alarms {sum(counts.alarms.values())}"


def _as_json(counts: Counts) -> dict[str, object]:
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(counts).items()}


def _alarms_of(bench: TestBench, feature: int, arguments: argparse.Namespace, counts: Counts) -> None:
    reference = bench.reference(feature)
    gold = apply_exactly(bench.store, bench.base.tree, bench.task.features[feature].gold_patch)
    assert gold is not None
    runs = FeatureRuns(bench.runner, feature, gold, reference, skip_install=False)
    pool = bench.breakable(reference)
    counts.fail_to_pass += pool.fail_to_pass
    counts.breakable += len(pool.breakable)
    counts.quiet += sum(each.function.edits[0].quiet and each.function.edits[0].patched for each in pool.breakable)
    counts.edits.update(str(each.function.edits[0].kind) for each in pool.breakable)
    if not pool.breakable:
        return
    made = [make_challenge(runs, pool, number) for number in range(arguments.challenges)]
    challenges = [challenge for challenge in made if challenge is not None]
    with ThreadPoolExecutor(arguments.workers) as threads:
        works = list(_works(bench, feature, gold, arguments.works))
        done = threads.map(lambda work: _try(runs, *work, challenges, counts), works)
        list(done)


def _try(runs: FeatureRuns, kind: str, tree: str, challenges: list[Challenge], counts: Counts) -> None:
    if suite_verdict(runs.feature, runs.run(tree), runs.reference).outcome is not Outcome.PASSED:
        counts.failing[kind] += 1
        return
    for challenge in challenges:
        for suite in challenge.suites:
            broken = [(each.shown.path, each.edit) for each in suite.functions]
            counts.runs[kind] += 1
            if find_mismatch(runs.run(tree, broken), suite, runs.reference) is None:
                continue
            again = find_mismatch(runs.run(tree, broken), suite, runs.reference)
            if again is None:
                counts.once[kind] += 1
            else:
                counts.alarms[kind] += 1
                counts.examples.append(f"{runs.runner.task.key} {runs.feature} {kind}: {again.model_dump_json()}")


def _works(bench: TestBench, feature: int, gold: str, folder: Path | None) -> Iterator[tuple[str, str]]:
    """Yield kind and tree of every correct work."""
    task, store, base = bench.task, bench.store, bench.base.tree
    yield "gold", gold
    if task.combined_patch and (tree := apply_exactly(store, base, task.combined_patch)):
        yield "combined", tree
    for other in task.features:
        patch = apply_exactly(store, base, task.features[other].gold_patch)
        if other != feature and patch is not None:
            merged = merge_members(store, base, {"agent1": gold, "agent2": patch}, union=True)
            if merged.tree is not None:
                yield "union", merged.tree
    yield from (("rewritten", _rewritten(bench, gold, seed)) for seed in range(2))
    for path in sorted(folder.glob(f"{task.repo}/task{task.task_id}/feature{feature}/*.patch")) if folder else ():
        if tree := apply_exactly(store, base, path.read_bytes()):
            yield "given", tree


def _rewritten(bench: TestBench, gold: str, seed: int) -> str:
    """Write the Python files of the gold patch anew: from their syntax tree, with other names for local variables."""
    store = bench.store
    entries = []
    for change in store.changes(bench.base.tree, gold):
        if change.path.endswith(".py") and not change.deleted:
            tree = _LocalNames(seed).visit(ast.parse(store.blob(change.new_blob)))
            text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            entries.append((change.path, change.new_mode, store.write_blob(text.encode())))
    return store.edit_tree(gold, entries)


class _LocalNames(ast.NodeTransformer):
    """Renames what functions without inner scopes assign, and swaps the branches of `if` with `else`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Global, ast.Nonlocal)
        if any(isinstance(each, scopes) for part in node.body for each in ast.walk(part)):
            return node
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        names -= {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        if any(getattr(each, "id", "") in ("locals", "vars", "eval", "exec") for each in ast.walk(node)):
            return node
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in names:
                each.id = f"{each.id}_{'ab'[self.seed]}"
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if self.seed and node.orelse and not isinstance(node.orelse[0], ast.If):
            node.test = ast.UnaryOp(ast.Not(), node.test)
            node.body, node.orelse = node.orelse, node.body
        return node


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
    parser.add_argument("what", choices=("alarms", "cost"))
    parser.add_argument("-s", "--subset")
    parser.add_argument("-r", "--repo")
    parser.add_argument("-f", "--features", type=lambda text: [int(word) for word in text.split(",")])
    parser.add_argument("--dataset-dir", type=Path)
    parser.add_argument("--backend", default="local")
    parser.add_argument("--challenges", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--works", type=Path, help="folder of further correct patches")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = alarms(arguments) if arguments.what == "alarms" else cost(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
