"""npm, pnpm and yarn. What they install depends on manifests and lock files, unless the repository has scripts of its own that
run when it is installed: those may read anything.
"""

import re
from pathlib import PurePosixPath

from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.installers.installer import Installer

_INPUTS = re.compile(
    r"^(package\.json|package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|pnpm-workspace\.yaml|\.pnpmfile\.c?js|yarn\.lock"
    r"|\.npmrc|\.yarnrc(\.yml)?|lerna\.json|\.nvmrc|\.node-version|\.tool-versions|binding\.gyp|.*\.(patch|tgz))$"
)
_OWN_SCRIPTS = '"(preinstall|install|postinstall|preprepare|prepare|postprepare|prepublish)"[[:space:]]*:'
# Hooks for commits, which no test needs.
_HARMLESS = re.compile(rb':\s*"(is-ci \|\| )?husky( install)?( [\w./-]+)?( \|\| (true|exit 0))?"')


class Node(Installer):
    """npm, pnpm, yarn."""

    calls = re.compile(
        rb"^[^#\n]*\b(?:npm|pnpm|yarn)\s+(?:-\S+\s+)*(?:install|i|ci|add)\b|^[^#\n]*\byarn\s*(?:--?\S+\s*)*$",
        re.MULTILINE,
    )
    # Without the guards, which would take this for a test runner's process.
    fingerprint = "env -u NODE_OPTIONS node $guard/fingerprint.cjs"
    skip = (
        "mkdir -p $guard/once/bin",
        "for tool in npm pnpm yarn; do cp $guard/once/node.sh $guard/once/bin/$tool; done",
        'export PATH="$guard/once/bin:$PATH"',
    )

    def reads(self, store: GitStore, base: str, tree: str) -> list[str]:
        """Changed manifests, lock files and the like; everything that changed where the repository's own scripts take part."""
        changed = [change.path for change in store.changes(base, tree)]
        found = store.run("grep", "-h", "-E", "-e", _OWN_SCRIPTS, base, "--", "*package.json")
        scripts = [line for line in found.stdout.splitlines() if not _HARMLESS.search(line)]
        return changed if scripts else [path for path in changed if _INPUTS.match(PurePosixPath(path).name)]
