"""Attacks that pass, by language, under both layers of protection, under each alone, and under none.

    python benchmarks/attacks.py [--language python --language go ...] [--only WORD] [--layers files,both] [--json FILE]

The *files* layer leaves out what is not work and fails what changes tests while they run; *falsification* breaks tests and sees them fail.
The attacks are those of `tests/evaluation/attacks`. Python runs in local sandboxes, the others in containers (`make images`);
vitest in an image that is made with npm. Without
protection, an attack that does not pass is one that the rule of names stops by itself: what the gold patch makes pass has to pass.
An attack that fails under weaker protection is not tried under more, unless `--everything` is given: protection only adds reasons to fail.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from cooperbench.evaluation import EvaluationSettings, evaluate_submissions, make_submission
from cooperbench.records import EvaluationChoices, Falsify, Outcome
from cooperbench.tasks import Task, discover_tasks
from tests.evaluation.attacks import go, python, rust, typescript, vitest
from tests.evaluation.edits import base_checkout
from tests.evaluation.languages import LANGUAGES, VITEST, build_vitest, make_task

LAYERS: dict[str, tuple[bool, Falsify]] = {
    "none": (False, "off"),
    "files": (True, "off"),
    "falsification": (False, "on"),
    "both": (True, "on"),
}
"""Whether files and process are protected, and whether tests are broken."""
WEAKER: dict[str, tuple[str, ...]] = {
    "none": (),
    "files": ("none",),
    "falsification": ("none",),
    "both": ("none", "files", "falsification"),
}
OTHERS = {"go": go.ATTACKS, "rust": rust.ATTACKS, "typescript": typescript.ATTACKS, "vitest": vitest.ATTACKS}
SHELFDB_FEATURE = 3


class Case(NamedTuple):
    """One attack on a task."""

    task: Task
    backend: str
    name: str
    feature: int
    patch: bytes


class Result(NamedTuple):
    """The outcome of one attack under one protection."""

    language: str
    attack: str
    layer: str
    outcome: str
    reason: str
    seconds: float


def cases(language: str, folder: Path) -> Iterator[Case]:
    """Make the patches of a language."""
    if language == "python":
        task = discover_tasks(subset="demo", repo="shelfdb")[0]
        checkout = base_checkout(task, folder / "repo")
        for name, attack in python.ATTACKS.items():
            yield Case(task, "local", name, SHELFDB_FEATURE, attack.patch(checkout))
        return
    if language == "vitest":
        build_vitest(folder / "image")
    task, checkout = make_task({**LANGUAGES, "vitest": VITEST}[language], folder, f"basket_{language}")
    for name, other in OTHERS[language].items():
        yield Case(task, "docker", name, other.feature, other.patch(checkout))


def attack_once(language: str, case: Case, layer: str, time_limit: float) -> Result:
    """Evaluate one attack under one protection."""
    protected, falsify = LAYERS[layer]
    choices = EvaluationChoices(falsify=falsify, time_limit=time_limit, network="none", singles="none")
    settings = EvaluationSettings(case.backend, choices=choices, protected=protected)
    submission = make_submission("agent1", (case.feature,), case.patch)
    started = time.monotonic()
    evaluation = evaluate_submissions(case.task, (case.feature,), [(submission, case.patch)], settings)
    verdict = evaluation.verdict.features[0]
    return Result(language, case.name, layer, verdict.outcome, verdict.reason[:120], time.monotonic() - started)


def all_layers(language: str, case: Case, layers: list[str], options: argparse.Namespace) -> Iterator[Result]:
    """Evaluate one attack under each protection, weakest first."""
    failed: dict[str, Result] = {}
    for layer in layers:
        settled = [failed[weaker] for weaker in WEAKER[layer] if weaker in failed]
        if settled and not options.everything:
            yield settled[0]._replace(layer=layer, seconds=0.0)
            continue
        result = attack_once(language, case, layer, options.time_limit)
        if result.outcome != Outcome.PASSED:
            failed[layer] = result
        yield result


def table(results: list[Result], layers: list[str]) -> str:
    """Return how many attacks passed, as a table in Markdown."""
    lines = [f"| language | attacks | {' | '.join(layers)} |", "|" + "---|" * (len(layers) + 2)]
    languages = list(dict.fromkeys(result.language for result in results))
    for language in [*languages, "all"]:
        mine = [result for result in results if language in ("all", result.language)]
        passed = [sum(r.layer == layer and r.outcome == Outcome.PASSED for r in mine) for layer in layers]
        attacks = len({(result.language, result.attack) for result in mine})
        lines.append(f"| {language} | {attacks} | {' | '.join(map(str, passed))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", action="append", choices=["python", *OTHERS])
    parser.add_argument("--layers", default=",".join(LAYERS), help="some of: " + ", ".join(LAYERS))
    parser.add_argument("--everything", action="store_true", help="also what weaker protection stops")
    parser.add_argument("--only", default="", help="attacks whose name has this word")
    parser.add_argument("--time-limit", type=float, default=60)
    parser.add_argument("--json", type=Path, help="write every result to this file")
    options = parser.parse_args()
    layers = options.layers.split(",")
    results = []
    for language in options.language or ["python", *OTHERS]:
        with tempfile.TemporaryDirectory() as folder:
            for case in cases(language, Path(folder)):
                if options.only not in case.name:
                    continue
                for result in all_layers(language, case, layers, options):
                    results.append(result)
                    print(*result[:-1], f"{result.seconds:.1f} s", sep=" | ", flush=True)
    print(table(results, layers))
    if options.json:
        options.json.write_text(json.dumps([result._asdict() for result in results], indent=1))


if __name__ == "__main__":
    main()
