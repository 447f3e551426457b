"""Name files that bring code of others, or that run on building: packages, archives, compiled objects, build hooks, environments.

They decide what a test means without being the work: a copy of an assertion library, a script that cargo runs before it compiles the
tests. What a gold patch changes too is work, see `Surroundings`.
"""

import re
from collections.abc import Callable

from cooperbench.evaluation.reasons import Reason
from cooperbench.records import DropRule

_ARCHIVE = re.compile(r"\.(whl|egg|pyz|tgz|gem|crate)$")
_COMPILED = re.compile(r"\.(syso|node)$")
_VARIABLES = re.compile(r"^\.(env|envrc|flaskenv)$|^\.env\.(?!.*(example|sample|template|dist)$)[\w.]+$")
_VERSIONS = re.compile(r"^\.((python|ruby|node|go|java)-version|nvmrc|tool-versions|sdkmanrc)$|^\.?mise\.toml$")
_INSTALLER = re.compile(r"^(pip\.(conf|ini)|uv\.toml|poetry\.toml|pdm\.toml|hatch\.toml|\.pypirc|\.condarc)$")
_BUILD_HOOKS = {"build.rs": "Cargo.toml", "binding.gyp": "package.json"}
_SCRIPT = re.compile(r"(^|/)[^/.]+$|\.(sh|bash)$|^((scripts?|bin|tools?|ci|\.ci|dev|hack)/)?[^/]+\.(py|[cm]?js)$")


def foreign_code(
    parts: tuple[str, ...], in_base: Callable[[str], bool], in_work: Callable[[str], bool]
) -> Reason | None:
    """Return why a file is left out, or `None`. `in_base` and `in_work` tell whether the base and the submission have a path."""
    name = parts[-1]
    if _ARCHIVE.search(name):
        return Reason(DropRule.INSTALLED_PACKAGE, "package in an archive")
    if _COMPILED.search(name):
        return Reason(DropRule.INSTALLED_PACKAGE, "compiled code")
    if _VARIABLES.search(name):
        return Reason(DropRule.ENVIRONMENT, "environment variables")
    if _VERSIONS.search(name):
        return Reason(DropRule.ENVIRONMENT, "chooses the interpreter")
    if _INSTALLER.search(name):
        return Reason(DropRule.ENVIRONMENT, "configuration of an installer")
    manifest = "/".join((*parts[:-1], _BUILD_HOOKS[name])) if name in _BUILD_HOOKS else None
    if manifest is not None and (in_base(manifest) or in_work(manifest)):
        return Reason(DropRule.BUILD_HOOK, "runs while the package is built")
    return _vendored(parts, in_base)


def _vendored(parts: tuple[str, ...], in_base: Callable[[str], bool]) -> Reason | None:
    """Name copies of Go modules, which tests may assert with. In a tree of copies that the base keeps, new modules stay."""
    if "vendor" not in parts[:-1]:
        return None
    place = parts.index("vendor")
    module, path = "/".join(parts[:place]), "/".join(parts)
    if not in_base(f"{module}/go.mod".lstrip("/")):
        return None
    listed = f"{module}/vendor/modules.txt".lstrip("/")
    if not in_base(listed) or (path != listed and in_base(path)):
        return Reason(DropRule.INSTALLED_PACKAGE, "copy of a module")
    return None


def scripts_in(runner: str, files: Callable[[str], bool]) -> frozenset[str]:
    """Return the files of a repository that a `runner.sh` starts, where `files` tells whether the repository has one."""
    words = (word.removeprefix("/workspace/repo/").removeprefix("./") for word in re.findall(r"[\w./-]+", runner))
    return frozenset(word for word in words if _SCRIPT.search(word) and files(word))
