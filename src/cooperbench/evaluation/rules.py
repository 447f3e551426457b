"""Decide which files of a submission are left out before merging, by the rules of each language.

Three kinds of files decide what a test run means, and none of them is the work that was asked for: test files, the
configuration of the test runner, and files that run by themselves when an interpreter, an installer or git starts. They get
the base's content back. Sources that only look like tests (`contest/`, `latest.py`, `src/test.py`) stay.
"""

import itertools
import re
from collections.abc import Callable
from pathlib import PurePosixPath

_TEST_NAMES = {
    "Python": re.compile(r"(^test_[^/]*|_test)\.py$"),
    "Go": re.compile(r"_test\.go$"),
    "TypeScript/JavaScript": re.compile(r"\.(test|spec)\.[cm]?[jt]sx?$|\.snap$"),
    "Java": re.compile(r"[a-z0-9]Tests?\.(java|kt)$|[a-z0-9]IT\.java$"),
}
_TEST_FOLDERS = ("__tests__", "__snapshots__", "testdata")

_CONFIGURATION = (
    re.compile(r"^(conftest\.py|\.?pytest\.(ini|toml)|tox\.ini|noxfile\.py|\.coveragerc)$"),
    re.compile(
        r"^(jest|vitest|vite|karma|ava|babel|playwright)\.(config|conf|setup|workspace)\b.*\.(json|[cm]?[jt]sx?)$"
    ),
    re.compile(r"^((jest|vitest)[.-]setup|setupTests)\.[cm]?[jt]sx?$"),
    re.compile(r"^\.(mocharc|babelrc|swcrc|nycrc|npmrc|yarnrc)(\.\w+)*$|^\.pnp\.[cm]?js$|^\.pnpmfile\.cjs$"),
    re.compile(r"^(go\.work(\.sum)?|go\.env|nextest\.toml|rust-toolchain(\.toml)?)$"),
    re.compile(r"^((GNU)?[Mm]akefile|[Jj]ustfile|Taskfile\.ya?ml)$"),
)
_STARTS_BY_ITSELF = re.compile(r"^(sitecustomize|usercustomize)\.py$|\.pth$|\.py[cod]$")
_PYTHON_TEST = re.compile(rb"^\s*(async\s+)?(def\s+test|class\s+Test)", re.MULTILINE)
_INSTALLS = frozenset({"setup.py", "hatch_build.py"})
_SHADOWED = re.compile(
    r"pytest|_pytest|py|pluggy|iniconfig|exceptiongroup|tomli|colorama|pip|setuptools|unittest|doctest"
    r"|site|os|sys|json|runpy|importlib|inspect|ast|re|io|pathlib|argparse|traceback|warnings|functools"
    r"|dataclasses|types|typing|collections|contextlib"
)
_METADATA_FOLDER = re.compile(r"\.(egg-info|dist-info)$")

Content = Callable[[], bytes | None]


def reason_to_drop(path: str, content: Content, in_base: Callable[[str], bool]) -> str | None:
    """Return why a changed file is left out, or `None` if it stays.

    `content` reads the submitted file, `None` if deleted; few rules need it. `in_base` tells whether the base has a path.
    """
    parts = PurePosixPath(path).parts
    return (
        _internal(parts)
        or _vendored(parts, in_base)
        or _shadow(parts, in_base)
        or _configuration(parts)
        or _test_file(parts, content)
    )


def _internal(parts: tuple[str, ...]) -> str | None:
    """Name files that run without being called, or belong to the tools."""
    name = parts[-1]
    if name in (".gitattributes", ".gitmodules"):
        return "git configuration"
    if "node_modules" in parts or "site-packages" in parts:
        return "installed package"
    if any(_METADATA_FOLDER.search(part) for part in parts):
        return "package metadata"
    if _STARTS_BY_ITSELF.search(name):
        return "runs by itself when the interpreter starts"
    return "runs at installation" if parts[0] in _INSTALLS else None


def _vendored(parts: tuple[str, ...], in_base: Callable[[str], bool]) -> str | None:
    """Name Go modules of which the repository keeps a copy: tests may assert with them. New ones stay."""
    vendored = parts[0] == "vendor" and in_base("vendor/modules.txt") and parts != ("vendor", "modules.txt")
    return "installed package" if vendored and in_base("/".join(parts)) else None


def _shadow(parts: tuple[str, ...], in_base: Callable[[str], bool]) -> str | None:
    """Name new modules where Python looks first that are called like one which the test runner imports."""
    place = 1 if parts[0] in ("src", "lib", "test", "tests") and len(parts) > 1 else 0
    root = parts[place]
    if not _SHADOWED.fullmatch(root.removesuffix(".py")) or not parts[-1].endswith((".py", ".so")):
        return None
    return None if in_base("/".join(parts[: place + 1])) else "stands in for a module of the test runner"


def _configuration(parts: tuple[str, ...]) -> str | None:
    if any(rule.search(parts[-1]) for rule in _CONFIGURATION) or ".cargo" in parts or "__mocks__" in parts:
        return "test configuration"
    return None


def _test_file(parts: tuple[str, ...], content: Content) -> str | None:
    folders, name = parts[:-1], parts[-1]
    if name.endswith(".rs"):
        # `src/**/tests.rs` is part of the crate: without it `mod tests;` does not compile.
        return "test file (Rust)" if "tests" in folders and "src" not in folders else None
    if any(folder in _TEST_FOLDERS for folder in folders):
        return "test file"
    for language, pattern in _TEST_NAMES.items():
        if pattern.search(name) and not _is_source(language, folders, content):
            return f"test file ({language})"
    if name.endswith((".java", ".kt")) or folders[:2] == ("src", "test"):
        return "test file (Java)" if _has(folders, "src", "test") else None
    if name.endswith(".go"):
        return None
    return "test file" if folders and (folders[0] in ("test", "tests") or "tests" in folders) else None


def _is_source(language: str, folders: tuple[str, ...], content: Content) -> bool:
    """Tell whether a file that is named like a test is part of the program."""
    if language == "Java":
        return _has(folders, "src", "main")
    if language == "Python" and "tests" not in folders:
        text = content()
        return text is not None and _PYTHON_TEST.search(text) is None
    return False


def _has(folders: tuple[str, ...], first: str, second: str) -> bool:
    return any(pair == (first, second) for pair in itertools.pairwise(folders))
