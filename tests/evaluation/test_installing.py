from pathlib import Path

import pytest

from cooperbench.evaluation.cleaning import apply_exactly
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.installing import changed_files, reads_of_installation, runner_installs
from tests.evaluation.trees import Checkout

BASE = {"src/pkg/core.py": b"x = 1\n", "src/pkg/sub/a.py": b"", "pyproject.toml": b"[project]\n", "README.md": b"r\n"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"src/pkg/core.py": b"x = 2\n"}, []),
        ({"src/pkg/new.py": b"y = 1\n", "README.md": b"s\n"}, []),
        ({"src/pkg/sub/a.py": None}, []),
        ({"pyproject.toml": b"[project]\nname='x'\n"}, ["pyproject.toml"]),
        ({"src/pkg/fast.pyx": b"1"}, ["src/pkg/fast.pyx"]),
        ({"src/other/__init__.py": b""}, ["src/other/__init__.py"]),
        ({"src/module.py": b""}, ["src/module.py"]),
        ({"module.py": b""}, ["module.py"]),
        ({"src/pkg/core.py": b"x = 1\n__version__ = '2'\n"}, ["the version"]),
        ({"requirements-dev.txt": b"x"}, ["requirements-dev.txt"]),
    ],
)
def test_what_an_installation_reads(tmp_path: Path, changes: dict[str, bytes | None], expected: list[str]) -> None:
    checkout = Checkout(tmp_path / "repo", BASE)
    with open_store(checkout.store) as store:
        tree = apply_exactly(store, checkout.base, checkout.patch(changes))
        assert tree is not None
        assert reads_of_installation(store, checkout.base, tree) == expected


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        (b"pip install -e .\n", True),
        (b"python -m pip install x", True),
        (b"# pip install\npytest", False),
        (b"npm ci", False),
    ],
)
def test_runners_that_install(runner: bytes, expected: bool) -> None:
    assert runner_installs(runner) is expected


def test_changed_files_are_named() -> None:
    assert changed_files(b"1 /a\n2 /b\n", b"1 /a\n3 /b\n4 /c d\n") == ["/b", "/c d"]
