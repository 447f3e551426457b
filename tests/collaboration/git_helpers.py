"""Real git at both ends, without anybody's configuration."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.com",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.com",
}


def run(where: Path, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(where), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT, input=stdin)


def git(where: Path, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
    done = run(where, *arguments, stdin=stdin)
    return Outcome(done.returncode, done.stdout.decode(errors="replace").strip(), done.stderr.decode().strip())


def must(where: Path, *arguments: str | Path, stdin: bytes = b"") -> str:
    outcome = git(where, *arguments, stdin=stdin)
    assert outcome.code == 0, outcome.err
    return outcome.out


def pack(where: Path, *revisions: str) -> bytes:
    """The objects of `revisions`, such as a commit and `^` another."""
    done = run(where, "pack-objects", "-q", "--revs", "--stdout", "--thin", stdin="\n".join(revisions).encode())
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(where: Path, name: str, content: str | bytes, message: str = "work") -> str:
    path = where / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    must(where, "add", "-A")
    must(where, "commit", "-qm", message)
    return must(where, "rev-parse", "HEAD")


def repository(where: Path, commits: int = 3) -> Path:
    where.mkdir(parents=True)
    must(where, "init", "-q", "-b", "trunk")
    for number in range(commits):
        commit(where, "file.txt", "line\n" * (number + 1), f"commit {number}")
    return where
