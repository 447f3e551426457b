"""Run git on the host, in the same way whatever the machine and its user have set up.

Every git command of the harness goes through here. Git reads no configuration of the user or the system, runs no hook or
filter, asks nothing, and sees no `GIT_*` variable of the caller's environment. Identity, date and locale are fixed, so that the
same input gives the same objects and messages everywhere.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cooperbench.errors import CooperBenchError

TIMEOUT = 900.0
"""Seconds for one command: a git that hangs must not hang a run."""
OLDEST = (2, 38)
"""The first version that merges trees without a work tree."""

_INSTALL = f"install git {OLDEST[0]}.{OLDEST[1]} or newer"

_CLONE = "name a clone of the task's repository, as git clone makes it"

_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
# Set on the command, because a repository's own configuration would win over a file.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.autocrlf": "false",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "safe.directory": "*",
}
_ENVIRONMENT = {
    "HOME": os.devnull,
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": str(Path(__file__).with_name("host.gitconfig")),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TEMPLATE_DIR": "",
    "GIT_TERMINAL_PROMPT": "0",
    **{f"GIT_{who}_NAME": "CooperBench" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "cooperbench@localhost" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2020-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


class GitOutput(NamedTuple):
    """The exit code and output of one command."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """The standard output as text, without surrounding white space."""
        return self.stdout.decode(errors="replace").strip()


@dataclass(frozen=True)
class Git:
    """Git for one purpose, with settings and environment variables of its own. Failures are raised as `error`."""

    error: type[CooperBenchError]
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        stdin: bytes | BinaryIO = b"",
        stdout: BinaryIO | None = None,
        variables: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> GitOutput:
        """Run a command. Raises `error` when git is missing, exceeds the time limit or, with `check`, fails."""
        given = stdin if isinstance(stdin, bytes) else None
        where = () if cwd is None else ("-C", str(cwd))
        environment = self._environment(variables or {})
        subject = str(cwd or environment.get("GIT_DIR", "git"))
        try:
            done = subprocess.run(
                ["git", *where, *map(str, arguments)],
                input=given,
                stdin=None if isinstance(stdin, bytes) else stdin,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=TIMEOUT,
                check=False,
            )
        except OSError as error:
            raise self.error("git is not installed on this machine", subject="git", hint=_INSTALL) from error
        except subprocess.TimeoutExpired as error:
            raise self.error(f"git {arguments[0]} did not end within {TIMEOUT:g} s", subject=subject) from error
        output = GitOutput(done.returncode, done.stdout or b"", done.stderr.decode(errors="replace").strip())
        if check and output.code != 0:
            reason = output.stderr or f"exit code {output.code}"
            place = f"{cwd}: " if cwd is not None else ""
            raise self.error(f"{place}git {arguments[0]} failed: {reason}", subject=subject)
        return output

    def stream(self, *arguments: str | Path, stdin: BinaryIO, variables: Mapping[str, str]) -> Iterator[bytes]:
        """Run a command that a client waits for and yield its standard output as it comes. There is no time limit."""
        with subprocess.Popen(
            ["git", *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment(variables),
            start_new_session=True,  # Ctrl-C at the terminal is for the run, not for a push in progress
        ) as process:
            assert process.stdout is not None
            while piece := process.stdout.read(1 << 16):
                yield piece

    def require(self) -> None:
        """Raise `error` unless the git on this machine can merge trees without a work tree."""
        found = _version(self, os.environ.get("PATH"))
        version = re.search(r"(\d+)\.(\d+)", found)
        if version is None or (int(version[1]), int(version[2])) < OLDEST:
            raise self.error(f"{found} is too old", subject="git", hint=_INSTALL)

    def require_commit(self, clone: Path, commit: str) -> None:
        """Raise `error` with the remedy unless a folder is a repository that holds a commit."""
        if not clone.is_dir():
            raise self.error(f"{clone} is not a folder", subject=str(clone), hint=_CLONE)
        inside = self.run("rev-parse", "--show-prefix", cwd=clone, check=False)
        if inside.code != 0 or inside.text:
            raise self.error(f"{clone} is not a git repository", subject=str(clone), hint=_CLONE)
        if self.run("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", cwd=clone, check=False).code == 0:
            return
        if not self.run("for-each-ref", "--count=1", cwd=clone).text:
            raise self.error(f"{clone} is an empty repository", subject=str(clone), hint=_CLONE)
        shallow = self.run("rev-parse", "--is-shallow-repository", cwd=clone).text == "true"
        raise self.error(
            f"{clone} does not hold commit {commit}",
            subject=str(clone),
            hint=f"run git fetch {'--unshallow' if shallow else '--all --tags'} in it",
        )

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        settings = {**_SETTINGS, **self.settings}
        numbered = {"GIT_CONFIG_COUNT": str(len(settings))}
        for index, (key, value) in enumerate(settings.items()):
            numbered |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {"PATH": os.defpath, **kept, **_ENVIRONMENT, **numbered, **self.variables, **variables}


_versions: dict[str | None, str] = {}


def _version(git: Git, path: str | None) -> str:
    """Return what the git on a PATH says of itself, asking it once."""
    if path not in _versions:
        _versions[path] = git.run("version").text
    return _versions[path]
