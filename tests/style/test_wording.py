"""Some phrases are not English that a native engineer would write. Nothing that a user can see has them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cooperbench.cli.reference import reference

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "cooperbench"
FORBIDDEN = {
    r"(?<!there )\bis no (?!(longer|more|less|better|worse|faster|slower|larger|smaller)\b)": "is not a",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\btold\b": "learns, sees, knows",
    r"\b(its|ours|theirs|yours) too\b": "also",
    r"\b(come|comes|came|coming) to nothing\b": "fail, discarded",
    r"\bpassing failure": "transient failure",
}
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "changelog.d").glob("*.md")),
]
# The demo's tasks are data: their digests are in the records of runs.
TEXTS = [
    path
    for path in sorted(SOURCE.rglob("*"))
    if path.suffix in {".md", ".j2", ".txt", ".sh"} and not path.is_relative_to(SOURCE / "tasks" / "demo")
]


def wrong(text: str) -> Iterator[str]:
    """Yield each forbidden phrase with what stands around it."""
    flat = re.sub(r"\s+", " ", text)
    for pattern, better in FORBIDDEN.items():
        for found in re.finditer(pattern, flat, re.IGNORECASE):
            yield f"...{flat[max(0, found.start() - 40) : found.end() + 30]}... (rather: {better})"


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string of a module, the constant parts of f-strings included, except docstrings."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node


def test_help_texts() -> None:
    """Walk all commands, not what docs/cli.md says of them."""
    commands = re.split(r"^## ", reference(), flags=re.MULTILINE)
    found = [f"{text.split(chr(10))[0]}: {phrase}" for text in commands for phrase in wrong(text)]
    assert not found, "\n".join(found)


def test_messages_and_hints() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {phrase}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in strings(ast.parse(path.read_text()))
        for phrase in wrong(str(node.value))
    ]
    assert not found, "\n".join(found)


def test_texts_that_ship() -> None:
    found = [f"{path.relative_to(ROOT)}: {phrase}" for path in TEXTS for phrase in wrong(path.read_text())]
    assert not found, "\n".join(found)


def test_pages() -> None:
    found = [f"{path.relative_to(ROOT)}: {phrase}" for path in PAGES for phrase in wrong(path.read_text())]
    assert not found, "\n".join(found)
