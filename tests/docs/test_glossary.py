"""The glossary of docs/concepts.md is the list of nouns: each one is in the code where it says."""

import ast
import re
from functools import cache
from pathlib import Path

from cooperbench.records import Outcome

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "concepts.md").read_text()
ROWS = re.findall(r"^\| ([a-z ]+) \| .+ \| `(\w+)\.(\w+)` \|$", PAGE, re.MULTILINE)


@cache
def definitions(room: str) -> set[str]:
    """Return the classes and type aliases that the modules of a room define."""
    found: set[str] = set()
    for path in (ROOT / "src" / "cooperbench" / room).rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            match node:
                case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                    found.add(name)
    return found


def test_each_noun_is_in_the_code_where_the_glossary_says() -> None:
    assert len(ROWS) > 40
    missing = [f"{noun}: {room}.{name}" for noun, room, name in ROWS if name not in definitions(room)]
    assert not missing


def test_each_noun_and_each_class_is_listed_once() -> None:
    nouns, classes = [noun for noun, _, _ in ROWS], [name for _, _, name in ROWS]
    assert len(set(nouns)) == len(nouns)
    assert len(set(classes)) == len(classes)


def test_every_outcome_is_explained() -> None:
    section = PAGE.split("## Outcomes")[1].split("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [outcome.value for outcome in Outcome]
