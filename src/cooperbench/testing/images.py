"""Tiny images for tests."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from cooperbench._git import Git
from cooperbench.environments import build_image
from cooperbench.errors import SandboxError
from cooperbench.records import ImageRecipe
from cooperbench.records.paths import AnyPath

FILES: dict[str, str | bytes] = {
    "answer.py": "def answer():\n    return 42\n",
    "test_answer.py": "from answer import answer\n\n\ndef test_answer():\n    assert answer() == 42\n",
    ".gitignore": "__pycache__/\n",
}
_UPSTREAM = Git(
    SandboxError,
    variables={
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "upstream"), ("EMAIL", "upstream@example.com"), ("DATE", "2024-01-01T00:00:00Z"))
    },
)


def sample_image(
    name: str = "test:sample",
    *,
    files: Mapping[str, str | bytes] | None = None,
    repository: AnyPath | None = None,
    host_packages: tuple[str, ...] = (),
) -> str:
    """Build a local image in the cache in force (`COOPERBENCH_CACHE_DIR`) and return its name.

    It has one commit with `files` (a small Python project by default), or is made from the HEAD of a `repository`.
    """
    with tempfile.TemporaryDirectory(prefix="cooperbench-sample-") as scratch:
        source = None if repository is None else Path(repository)
        if source is None:
            source = Path(scratch) / "repo"
            make_repository(source, FILES if files is None else files)
        recipe = ImageRecipe(name=name, context=source, repository=source, host_packages=host_packages, bundled=True)
        build_image("local", recipe)
    return name


def make_repository(path: Path, files: Mapping[str, str | bytes]) -> str:
    """Make a git repository with one commit, always the same for the same files, and return the commit's id."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet")
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    git(path, "add", "--all", "--force")
    git(path, "commit", "--quiet", "--allow-empty", "--message", "Base commit")
    return git(path, "rev-parse", "HEAD")


def git(path: Path, *arguments: str) -> str:
    """Run git in `path` as the author of the repository, who always has the same name and date."""
    return _UPSTREAM.run(*arguments, cwd=path).text
