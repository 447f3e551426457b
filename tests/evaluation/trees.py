"""Base trees and patches for tests, made by plain git in work trees: independent of the code under test."""

import os
import subprocess
from pathlib import Path

Files = dict[str, bytes]

PATCH = b"""diff --git a/pkg/core.py b/pkg/core.py
index 1234567..89abcde 100644
--- a/pkg/core.py
+++ b/pkg/core.py
@@ -1,2 +1,3 @@
 import os
+import sys
 x = 1
"""

_ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(*arguments: str, cwd: Path, stdin: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=cwd, input=stdin, capture_output=True, env=_ENVIRONMENT, check=check)


class Checkout:
    """A work tree with one base commit."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        path.mkdir(parents=True)
        git("init", "-q", "-b", "main", cwd=path)
        self.write(files)
        git("add", "-A", "-f", cwd=path)
        git("commit", "-qm", "base", "--allow-empty", cwd=path)
        self.base_commit = self.read("rev-parse", "HEAD")
        self.base = self.read("rev-parse", "HEAD^{tree}")

    @property
    def store(self) -> Path:
        return self.path / ".git"

    def write(self, files: Files) -> None:
        for name, data in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def read(self, *arguments: str) -> str:
        return git(*arguments, cwd=self.path).stdout.decode().strip()

    def patch(self, changes: dict[str, bytes | None], links: dict[str, str] | None = None) -> bytes:
        """The patch from the base to changed files (`None` deletes, `links` are symbolic links); the checkout is reset."""
        for name, data in changes.items():
            if data is None:
                (self.path / name).unlink()
        self.write({name: data for name, data in changes.items() if data is not None})
        for name, target in (links or {}).items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).symlink_to(target)
        git("add", "-A", "-f", cwd=self.path)
        patch = git("diff", "--cached", "--binary", "--full-index", "-M", cwd=self.path).stdout
        git("reset", "-q", "--hard", cwd=self.path)
        git("clean", "-qfdx", cwd=self.path)
        return patch

    def branch(self, name: str, patch: bytes) -> None:
        git("checkout", "-qB", name, self.base_commit, cwd=self.path)
        if patch:
            git("apply", "--index", "--binary", "-", cwd=self.path, stdin=patch)
        git("commit", "-qm", name, "--allow-empty", cwd=self.path)
        git("checkout", "-q", "main", cwd=self.path)

    def merges_cleanly(self, first: str, second: str) -> bool:
        """What `git merge` itself says."""
        git("checkout", "-q", first, cwd=self.path)
        done = git("merge", "-q", "-m", "m", second, cwd=self.path, check=False)
        git("reset", "-q", "--hard", cwd=self.path)
        git("checkout", "-q", "main", cwd=self.path)
        return done.returncode == 0
