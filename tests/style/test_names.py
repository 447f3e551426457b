"""One name, one meaning: names that were replaced do not come back, and no two classes share one."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("names")  # one worker parses all modules, once

ROOT = Path(__file__).parents[2]


@cache
def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in sorted((ROOT / "src").rglob("*.py"))}


REPLACED = {
    "Accounts": "usage",
    "Breaker": "CircuitBreaker",
    "CapturedWork": "Capture",
    "Choice": "Submission",
    "Contribution": "CleanSubmission",
    "EpisodeOutcome": "EpisodeView",
    "EpisodeRecord": "EpisodeView",
    "EvaluationOrder": "EvaluationSpec",
    "FileTurns": "FileSlots",
    "GuardedFolder": "OwnedTempDir",
    "Happening": "PendingEvent",
    "KEEPER": "reaper",
    "Line": "CoopBridge",
    "MemberTree": "CleanSubmission",
    "Order": "MemberSpec, Command",
    "Room": "SandboxSpec",
    "Seat": "TeamAccess",
    "SeatRun": "MemberRun",
    "Standing": "EpisodeState",
    "Story": "Scenario",
    "ThreadTurns": "ThreadSlots",
    "Told": "ScenarioResult",
    "Turns": "TestSlots",
    "examine": "read_state",
    "furnish": "prepare_rootfs",
    "lost_cost": "wasted_cost",
    "rung": "isolation level",
    "set_out": "prepare_for_agent",
}
"""What replaced each name of a class, function, field or constant."""

REPLACED_MODULES = {
    "accounts": "usage",
    "board_verbs": "board_commands",
    "calls": "rpc",
    "cleaning": "sanitize",
    "furnishing": "rootfs",
    "guarded": "owned_temp_dir",
    "judging": "suite_verdict",
    "leftovers": "orphans",
    "line": "bridge",
    "needs": "preflight",
    "opening": "resume",
    "orders": "specs",
    "seat": "team_access",
    "seats": "members",
    "stories": "scenarios",
    "tally": "fold it into what counts",
    "turns": "slots",
}
"""What replaced each name of a module."""


def test_class_names_are_unique() -> None:
    where = defaultdict(list)
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in where.items() if len(paths) > 1}
    assert not twice


def test_names_that_were_replaced_do_not_come_back() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}, which is now {REPLACED[plain]}"
        for path, tree in modules().items()
        for name in defined(tree)
        if (plain := name.lstrip("_")) in REPLACED
    ]
    assert not found, "\n".join(sorted(set(found)))


def test_modules_that_were_renamed_do_not_come_back() -> None:
    found = [f"{path.relative_to(ROOT)}: now {new}" for path in modules() if (new := REPLACED_MODULES.get(path.stem))]
    assert not found, "\n".join(found)


def test_replaced_names_are_not_in_the_documentation() -> None:
    code = re.compile(r"`(\w+)(?:\(\))?`")
    pages = [path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.name != "CHANGELOG.md"]
    names = REPLACED.keys() - {"lost_cost"}  # a key of earlier records, which are still read
    found = [f"{page.name}: {name}" for page in pages for name in code.findall(page.read_text()) if name in names]
    assert not found, "\n".join(sorted(found))


def defined(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module gives to classes, functions, parameters and variables."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
