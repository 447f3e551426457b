"""Runs what the documentation tells its readers to type.

Blocks marked ```console (lines that begin with `$ `) and ```python run in order, page by page, in one temporary directory for
each page. `<!-- not run: reason -->` before a block exempts it; `<!-- needs: docker -->` lets it run only where an engine
answers. A python block that opens with `# file: name.py` is written to that file.
"""

import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.needs import CI, missing

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "changelog.d").glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
READ_FIRST = ("README", "quickstart", "agents")
"""Pages that `make test` tries, too; they take 25 of 220 s."""
FENCE = re.compile(
    r"(?:<!-- (?P<mark>not run|needs): (?P<value>[^\n]+?) -->\s*\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LANGUAGES = {"console", "python", "text", "yaml", "json", "toml", "diff", "mermaid"}


@dataclass(frozen=True)
class Block:
    language: str
    body: str
    mark: str | None
    value: str | None


def blocks(page: Path) -> list[Block]:
    return [
        Block(found["language"], found["body"], found["mark"], found["value"])
        for found in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def script_of(block: Block) -> list[str]:
    """The command line of a block: the commands of a console block, or a python file."""
    if block.language == "python":
        return [sys.executable, "-c", block.body]
    commands: list[str] = []
    continues = False
    for line in block.body.splitlines():
        if line.startswith("$ "):
            commands.append(line[2:])
        elif continues:
            commands[-1] += "\n" + line
        else:
            continue
        continues = line.endswith("\\")
    return ["bash", "-euo", "pipefail", "-c", "\n".join(commands)]


def runs_something(page: Path) -> bool:
    """Tell whether a page has a block to run, or one in a language that no page may have."""
    return any(block.language in {"console", "python"} or block.language not in LANGUAGES for block in blocks(page))


@pytest.mark.slow
@pytest.mark.needs("sandbox")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[] if page.stem in READ_FIRST else pytest.mark.ci)
        for page in PAGES
        if runs_something(page)
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_what_a_page_says_to_type_works(page: Path, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COOPERBENCH_CONFIG_DIR": str(tmp_path / "config")}
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{page.name}: mark the block as one of {sorted(LANGUAGES)}"
        if block.language not in {"console", "python"} or block.mark == "not run":
            continue
        if block.mark == "needs":
            assert block.value == "docker", f"{page.name}: only docker can be needed, not {block.value}"
            if missing("docker") and not CI:
                continue
        named = re.match(r"# file: (\S+)\n", block.body)
        if named:
            target = tmp_path / named[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.body)
            continue
        done = subprocess.run(
            script_of(block), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (
            f"{page.name}:\n{block.body}\n--- said:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        check_links(page)


def check_links(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    for target, anchor in links:
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(path), f"{page.name} links to {target}#{anchor}"


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_files_and_modules_that_a_page_names_exist() -> None:
    for page in PAGES:
        check_names(page)


def check_names(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`(?:python |bash )?([\w./-]+\.(?:py|sh))(?: [^`]*)?`", text):
        assert any(f"/{path}".endswith(f"/{name}") for path in repository_files()), f"{page.name} names {name}"
    for name in re.findall(r"`(cooperbench(?:\.\w+)+)`", text):
        assert pkgutil.resolve_name(name) is not None, f"{page.name} names {name}"


@cache
def repository_files() -> list[str]:
    """Return the files of the folders that pages speak of."""
    folders = ("src", "tests", "benchmarks", "docs", "examples", ".ci")
    return [path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.*")]
