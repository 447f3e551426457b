"""The viewer's scripts and styles are small modules of short lines, and never build markup from text."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "src" / "cooperbench" / "viewer" / "page"
SOURCES = sorted(
    path for path in PAGE.rglob("*.*s*") if path.suffix in (".js", ".css") and path.parent.name != "vendor"
)
LINES, CHARACTERS = 300, 150
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML|\beval\(|new Function"
)


def test_modules_are_short_and_begin_with_what_they_are_for() -> None:
    for path in SOURCES:
        lines = path.read_text().splitlines()
        assert len(lines) <= LINES, path.name
        assert lines[0].startswith(("// ", "/* ")), path.name
        long = [number for number, line in enumerate(lines, 1) if len(line) > CHARACTERS]
        assert not long, f"{path.name}: lines {long} are longer than {CHARACTERS} characters"


def test_text_never_becomes_markup() -> None:
    found = [f"{path.name}: {match.group()}" for path in SOURCES if (match := FORBIDDEN.search(path.read_text()))]
    assert not found
