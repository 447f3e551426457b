"""The package called cooperbench on PyPI is another project: nothing that we print or write tells anybody to install it."""

import re
from pathlib import Path

from cooperbench._installation import install_command
from cooperbench.errors import MissingExtraError

ROOT = Path(__file__).parents[2]
FROM_PYPI = re.compile(
    r"(?:pip|pipx|tool|uvx?|add) (?:install |run )?(?:-\S+ )*['\"]?cooperbench\b(?!\.)|uvx cooperbench"
)
PLACES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*"),
    *(path for path in (ROOT / "src").rglob("*") if path.suffix in {".py", ".md", ".txt", ".j2", ".sh"}),
]


def test_nobody_is_sent_to_pypi() -> None:
    texts = {path: path.read_text() for path in PLACES if path.is_file() and path.suffix != ".pyc"}
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}" for path, text in texts.items() for match in FROM_PYPI.finditer(text)
    ]
    assert not found
    assert len(texts) > 300


def test_a_missing_extra_is_installed_from_where_this_came_from() -> None:
    hint = MissingExtraError("this", "modal").hint
    assert hint == install_command("modal")
    assert re.search(rf"install (-p \S+ )?(-e )?'({re.escape(str(ROOT))}|\.|CLONE)\[modal\]'$", hint)


def test_a_new_agent_does_not_require_it() -> None:
    template = ROOT / "src/cooperbench/agents/template/pyproject.toml.txt"
    assert "dependencies = []" in template.read_text()
