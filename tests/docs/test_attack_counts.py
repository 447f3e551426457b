"""The page on evaluation counts the attacks that there are."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.evaluation.attacks import go, python, rust, typescript, vitest

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
ROW = re.compile(
    r"^\| (Python|Go|Rust|TypeScript|TypeScript, vitest) \| (\d+) \| [\d–]+ \| (\d+) \| [\d–]+ \| ([\d–]+) \|$",
    re.MULTILINE,
)


def test_counts() -> None:
    """Patches, and those that the files layer lets pass, as the tests of the attacks expect; both layers let none pass."""
    rows = ROW.findall(PAGE)
    found = {language: (int(patches), int(files)) for language, patches, files, _ in rows}
    modules: dict[str, Mapping[str, Any]] = {
        "Python": python.ATTACKS,
        "Go": go.ATTACKS,
        "Rust": rust.ATTACKS,
        "TypeScript": typescript.ATTACKS,
        "TypeScript, vitest": vitest.ATTACKS,
    }
    assert found == {
        language: (len(attacks), sum(attack.lies for attack in attacks.values()))
        for language, attacks in modules.items()
    }
    assert {both for *_, both in rows} <= {"0", "–"}
