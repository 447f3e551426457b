from pathlib import Path

import pytest

from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.installers import (
    INSTALLERS,
    changed_files,
    copied_sources,
    installers_of,
    reads_of_installation,
)
from cooperbench.evaluation.sanitize import apply_exactly
from tests.evaluation.trees import Checkout, Files

PYTHON = {"src/pkg/core.py": b"x = 1\n", "src/pkg/sub/a.py": b"", "pyproject.toml": b"[project]\n", "README.md": b"r\n"}


NODE = {
    "src/index.ts": b"export {};\n",
    "package.json": b'{"name": "x"}\n',
    "packages/a/package.json": b'{"name": "a"}\n',
    "pnpm-lock.yaml": b"lockfileVersion: 9\n",
}


def reads(folder: Path, base: Files, changes: dict[str, bytes | None]) -> list[str]:
    checkout = Checkout(folder / "repo", base)
    with open_store(checkout.store) as store:
        tree = apply_exactly(store, checkout.base, checkout.patch(changes))
        assert tree is not None
        installer = INSTALLERS[0] if base is PYTHON else INSTALLERS[-1]
        return reads_of_installation([installer], store, checkout.base, tree)


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
        ({"requirements/dev.txt": b"x", "deps/tests.in": b"y"}, ["deps/tests.in", "requirements/dev.txt"]),
    ],
)
def test_what_pip_reads(tmp_path: Path, changes: dict[str, bytes | None], expected: list[str]) -> None:
    assert reads(tmp_path, PYTHON, changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"src/index.ts": b"export const a = 1;\n", "src/new.ts": b""}, []),
        ({"package.json": b'{"name": "y"}\n'}, ["package.json"]),
        ({"packages/a/package.json": None}, ["packages/a/package.json"]),
        ({"pnpm-lock.yaml": b"lockfileVersion: 8\n"}, ["pnpm-lock.yaml"]),
        ({"patches/left-pad.patch": b"x", ".npmrc": b"y"}, [".npmrc", "patches/left-pad.patch"]),
        ({".yarn/releases/yarn-4.5.0.cjs": b"x", ".pnp.cjs": b"y"}, [".pnp.cjs", ".yarn/releases/yarn-4.5.0.cjs"]),
    ],
)
def test_what_node_reads(tmp_path: Path, changes: dict[str, bytes | None], expected: list[str]) -> None:
    assert reads(tmp_path, NODE, changes) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b'"test": "jest"', []),
        (b'"prepare": "husky install"', []),
        (b'"prepare": "husky || true"', []),
        (b'"prepare": "npm run build"', ["src/index.ts"]),
        (b'"postinstall" : "node make.js"', ["src/index.ts"]),
    ],
)
def test_scripts_of_the_repository_may_read_anything(tmp_path: Path, script: bytes, expected: list[str]) -> None:
    base = {**NODE, "packages/a/package.json": b'{\n  "scripts": {\n    ' + script + b"\n  }\n}\n"}
    assert reads(tmp_path, base, {"src/index.ts": b"changed\n"}) == expected


@pytest.mark.parametrize(
    ("runner", "copied"),
    [
        (b"pip install ./plugins/a", True),
        (b"python -m pip install -q 'plugins/a[dev]' && pytest", True),
        (b"pip install -e . /workspace/repo/plugins/a/", True),
        (b"uv pip install --system ./plugins/a", True),
        (b"pip install -e ./plugins/a", False),
        (b"pip install -e . --editable plugins/a[dev]", False),
        (b"pip install -r plugins/a.txt; cat ./plugins/a", False),
        (b"pip install -e .", False),
    ],
)
def test_projects_in_the_repository_may_be_copied(tmp_path: Path, runner: bytes, copied: bool) -> None:
    checkout = Checkout(tmp_path / "repo", {**PYTHON, "plugins/a/setup.py": b"", "plugins/a/a.py": b""})
    with open_store(checkout.store) as store:
        tree = apply_exactly(store, checkout.base, checkout.patch({"plugins/a/a.py": b"x = 1\n", "README.md": b"s\n"}))
        assert tree is not None
        assert copied_sources(runner, store, checkout.base, tree) == ["plugins/a/a.py"] * copied


@pytest.mark.parametrize(
    ("named", "copied"),
    [
        ("file:../../vendor/rates", True),
        ("file:../../vendor", True),
        ("file:/workspace/repo/vendor/rates", True),
        ("file:../..", True),
        ("file:../../vendor/rat", False),
        ("file:../../../elsewhere", False),
        ("link:../../vendor/rates", False),
    ],
)
def test_packages_out_of_folders_may_be_copied(tmp_path: Path, named: str, copied: bool) -> None:
    manifest = f'{{"dependencies": {{"left": "1.0.0", "rates": "{named}"}}}}\n'
    base = {**NODE, "packages/a/package.json": manifest.encode()}
    read = reads(tmp_path, base, {"vendor/rates/index.js": b"changed\n"})
    assert read == ["vendor/rates/index.js"] * copied


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        (b"pip install -e .\n", ["Pip"]),
        (b"python -m pip install x", ["Pip"]),
        (b"# pip install\npytest", []),
        (b"npm ci", ["Node"]),
        (b"cd web && pnpm --silent install --frozen-lockfile\npip3 install .", ["Pip", "Node"]),
        (b"yarn --frozen-lockfile\nyarn test", ["Node"]),
        (b"yarn test\nnpm run build\nnpm test", []),
        (b"uv sync --all-extras\nuv run pytest", ["Uv"]),
        (b"uv --quiet run --extra dev pytest", ["Uv"]),
        (b"python -m uv sync", ["Uv"]),
        (b"uv pip install -e .\npytest", ["Pip", "Uv"]),
        (b"uvx ruff check\nuv lock\nuv tool install x\n# uv sync", []),
    ],
)
def test_runners_that_install(runner: bytes, expected: list[str]) -> None:
    assert [type(installer).__name__ for installer in installers_of(runner)] == expected


def test_changed_files_are_named() -> None:
    assert changed_files(b"1 /a\n2 /b\n", b"1 /a\n3 /b\n4 /c d\n") == ["/b", "/c d"]
