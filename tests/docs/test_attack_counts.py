"""The page on evaluation counts the attacks that there are."""

import re
from pathlib import Path

from tests.evaluation.attacks import (
    go,
    python_files,
    python_lies,
    python_memory,
    python_process,
    python_sandbox,
    rust,
    typescript,
    vitest,
)

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
ROW = re.compile(
    r"^\| (Python|Go|Rust|TypeScript|TypeScript, vitest) \| (\d+) \| [\d–]+ \| (\d+) \| [\d–]+ \| ([\d–]+) \|$",
    re.MULTILINE,
)


def test_counts() -> None:
    """Patches, and those that the files layer lets pass, as the tests of the attacks expect; both layers let none pass."""
    rows = ROW.findall(PAGE)
    found = {language: (int(patches), int(files)) for language, patches, files, _ in rows}
    modules = (python_files, python_process, python_lies, python_memory, python_sandbox)
    python = {name: attack for module in modules for name, attack in module.ATTACKS.items()}
    others = {
        "Go": go.ATTACKS,
        "Rust": rust.ATTACKS,
        "TypeScript": typescript.ATTACKS,
        "TypeScript, vitest": vitest.ATTACKS,
    }
    assert found == {
        "Python": (len(python), sum(attack.lies for attack in python.values())),
        **{
            language: (len(attacks), sum(attack.lies for attack in attacks.values()))
            for language, attacks in others.items()
        },
    }
    assert {both for *_, both in rows} <= {"0", "–"}
