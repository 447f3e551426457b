"""Decide which files of a submission are left out before merging, by the rules of each language.

These decide what a test run means, and none of them is the work that was asked for: test files, the configuration of the test
runner, files that run by themselves when an interpreter, an installer or git starts, modules that stand in for others
(`stand_ins`), and code of others (`foreign_code`). They get the base's content back. Sources that only look like tests
(`contest/`, `latest.py`, `src/test.py`) stay.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from cooperbench.evaluation.foreign_code import foreign_code, scripts_in
from cooperbench.evaluation.reasons import Reason
from cooperbench.evaluation.stand_ins import stand_in
from cooperbench.evaluation.surroundings import Surroundings
from cooperbench.records import DropRule

TEST_NAMES = {
    "Python": re.compile(r"(^test_[^/]*|_test)\.py$"),
    "Go": re.compile(r"_test\.go$"),
    "TypeScript/JavaScript": re.compile(r"\.(test|spec)\.[cm]?[jt]sx?$|\.snap$"),
    "Java": re.compile(r"[a-z0-9]Tests?\.(java|kt)$|[a-z0-9]IT\.java$"),
}
_TEST_FOLDERS = ("__tests__", "__snapshots__", "testdata")

CONFIGURATION = (
    re.compile(r"^(conftest\.py|\.?pytest\.(ini|toml)|tox\.ini|noxfile\.py|\.coveragerc)$"),
    re.compile(
        r"^(jest|vitest|vite|karma|ava|babel|playwright|postcss)\.(config|conf|setup|workspace)\b.*\.(json|[cm]?[jt]sx?)$"
    ),
    re.compile(r"^((jest|vitest)[.-]setup|setupTests)\.[cm]?[jt]sx?$"),
    re.compile(r"^\.(mocharc|babelrc|swcrc|nycrc|npmrc|yarnrc|postcssrc)(\.\w+)*$|^\.pnp\.[cm]?js$|^\.pnpmfile\.cjs$"),
    re.compile(r"^(go\.work(\.sum)?|go\.env|nextest\.toml|rust-toolchain(\.toml)?)$"),
    re.compile(r"^((GNU)?[Mm]akefile|[Jj]ustfile|Taskfile\.ya?ml)$"),
    re.compile(r"^(tsconfig\.(test|spec|jest|vitest)\.json|bunfig\.toml|\.taprc|\.jestrc(\.\w+)?)$"),
)
STARTS_BY_ITSELF = re.compile(r"^(sitecustomize|usercustomize)(\..*)?$|\.pth$|\.py[cod]$")
_PYTHON_TEST = re.compile(rb"^[^\S\n]*(async\s+)?(def\s+test|class\s+Test)", re.MULTILINE)
_INSTALLS = frozenset({"setup.py", "hatch_build.py"})
# Python's `importlib.metadata` compares without case.
METADATA = re.compile(r"\.(egg-info|dist-info|egg-link)$|\.egg$|^egg-info$", re.IGNORECASE)

Content = Callable[[], bytes | None]
IsThere = Callable[[str], bool]


@dataclass(frozen=True)
class Rules:
    """Tells for each changed file of a submission whether it is left out, and why."""

    in_base: IsThere
    """Tells whether the base has a file or folder."""
    in_work: IsThere = field(default=lambda _: False)
    """Tells whether the submission has a file."""
    surroundings: Surroundings = field(default_factory=Surroundings)

    def reason(self, path: str, content: Content, *, is_link: bool = False) -> Reason | None:
        """Return why a changed file is left out, or `None` if it stays. `content` reads it, `None` if deleted; few rules need it."""
        parts = PurePosixPath(path).parts
        expected = path in self.surroundings.gold
        return (
            _internal(parts)
            or (None if expected else self._not_work(path, parts, is_link))
            or _configuration(parts)
            or _test_file(parts, content)
        )

    def _not_work(self, path: str, parts: tuple[str, ...], is_link: bool) -> Reason | None:
        if path in self._scripts:
            return Reason(DropRule.RUNNER_SCRIPT, "the runner starts it")
        modules = self.surroundings.modules
        return foreign_code(parts, self.in_base, self.in_work) or stand_in(
            path, is_link=is_link, in_base=self.in_base, in_work=self.in_work, modules=modules
        )

    @cached_property
    def _scripts(self) -> frozenset[str]:
        return scripts_in(self.surroundings.runner, self.in_base)


def _internal(parts: tuple[str, ...]) -> Reason | None:
    """Name files that run without being called, or belong to the tools."""
    name = parts[-1]
    if name in (".gitattributes", ".gitmodules"):
        return Reason(DropRule.GIT, "git configuration")
    if "node_modules" in parts or "site-packages" in parts:
        return Reason(DropRule.INSTALLED_PACKAGE, "installed package")
    if any(METADATA.search(part) for part in parts):
        return Reason(DropRule.PACKAGE_METADATA, "package metadata")
    if any(STARTS_BY_ITSELF.search(part) for part in parts):
        return Reason(DropRule.STARTS_BY_ITSELF, "runs by itself when the interpreter starts")
    return Reason(DropRule.BUILD_HOOK, "runs at installation") if parts[0] in _INSTALLS else None


def _configuration(parts: tuple[str, ...]) -> Reason | None:
    special = any(folder in parts for folder in (".cargo", ".mvn", "__mocks__"))
    if special or any(rule.search(parts[-1]) for rule in CONFIGURATION):
        return Reason(DropRule.TEST_CONFIGURATION, "test configuration")
    return None


def _test_file(parts: tuple[str, ...], content: Content) -> Reason | None:
    kind = _kind_of_test_file(parts, content)
    return Reason(DropRule.TEST_FILE, kind) if kind else None


def _kind_of_test_file(parts: tuple[str, ...], content: Content) -> str | None:
    folders, name = parts[:-1], parts[-1]
    if name.endswith(".rs"):
        # `src/**/tests.rs` is part of the crate: without it `mod tests;` does not compile.
        return "test file (Rust)" if "tests" in folders and "src" not in folders else None
    if any(folder in _TEST_FOLDERS for folder in folders):
        return "test file"
    for language, pattern in TEST_NAMES.items():
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
