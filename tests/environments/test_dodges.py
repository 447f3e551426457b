"""What an agent does to its own sandbox is its own result: its work is captured all the same, or is empty; no error ever voids it."""

from pathlib import Path
from typing import NamedTuple

import pytest

from cooperbench.environments import Environment, worktree
from cooperbench.errors import SandboxLostError
from cooperbench.testing.conformance.lifecycle import until
from tests.conformance.subjects import SUBJECTS

CWD = "/workspace/repo"
WORK = "echo work >work.txt"
SHADOW = "for d in /usr/local/bin /usr/bin /bin ~/.local/bin; do mkdir -p $d; printf '%s' '{text}' >$d/{name}; chmod +x $d/{name}; done"
FAKE = "#!/does/not/exist\n"


class Dodge(NamedTuple):
    """A way to break a sandbox."""

    commands: str
    kept: bool = True
    """Whether the work is still there to be captured."""


DODGES = {
    "repository removed": Dodge(f"rm -rf {CWD}", kept=False),
    "repository emptied": Dodge("rm -rf .git .gitignore * .[a-z]*", kept=False),
    "repository is a file": Dodge(f"rm -rf {CWD}; echo x >{CWD}", kept=False),
    "repository leads elsewhere": Dodge(f"rm -rf {CWD}; ln -s /nowhere {CWD}", kept=False),
    "repository moved away": Dodge(f"mv {CWD} /tmp/other; ln -s /tmp/other {CWD}"),
    "git directory removed": Dodge("rm -rf .git"),
    "git directory is nonsense": Dodge("rm -rf .git; echo 'gitdir: /proc/self/fd/0' >.git"),
    "hostile configuration": Dodge(
        "git config core.fsmonitor 'kill -9 -1'; git config core.hooksPath /tmp; git config core.worktree /etc;"
        " git config extensions.partialClone o; git config remote.o.url /tmp; git config remote.o.uploadpack 'sleep 900'"
    ),
    "index locked and broken": Dodge("echo x >.git/index; touch .git/index.lock; chmod 000 .git/index.lock"),
    "everything killed": Dodge("kill -9 -1"),
    "everything killed again and again": Dodge("(trap '' TERM; while :; do kill -9 -1; done) & sleep 0.3"),
    "first process killed": Dodge("kill -9 1; kill -TERM 1; kill -INT 1"),
    "git removed": Dodge("rm -f $(command -v git)"),
    "git does nothing": Dodge(SHADOW.format(name="git", text="#!/bin/sh\nexit 0\n")),
    "shell removed": Dodge("rm -f /bin/sh /usr/bin/sh /bin/bash /usr/bin/bash /bin/dash /usr/bin/dash"),
    "shell replaced": Dodge(SHADOW.format(name="sh", text=FAKE) + ";" + SHADOW.format(name="bash", text=FAKE)),
    "programs in front": Dodge("; ".join(SHADOW.format(name=name, text=FAKE) for name in ("find", "mktemp", "python3"))),
    "all programs removed": Dodge("rm -rf /usr/bin /bin /usr/lib /lib"),
    "libraries broken": Dodge("echo /nowhere.so >/etc/ld.so.preload; rm -f /lib/*/libz.so* /usr/lib/*/libz.so*"),
    "temporary folder replaced": Dodge("rm -rf /tmp/* /tmp/.c*; chmod 700 /tmp; echo x >/tmp/.cooperbench"),
    "endless file": Dodge("truncate -s 900G sparse; mkfifo pipe; ln -s / loop; mkdir -p d; ln -s .. d/up"),
    "names that git refuses": Dodge("mkdir 'git~1'; echo x >'git~1/x'; ln -s /etc/passwd .gitmodules"),
}  # fmt: skip


BACKENDS = [
    pytest.param("local", marks=pytest.mark.needs("sandbox")),
    pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.slow]),
    pytest.param("gcp", marks=[pytest.mark.docker, pytest.mark.slow]),
    pytest.param("modal", marks=[pytest.mark.docker, pytest.mark.slow]),
]
SEEN_INSIDE_ONLY = {"modal"}
"""Backends that cannot look at a sandbox from outside: there work is lost with the programs that read it."""
ENDS_THE_SANDBOX = {"modal": {"everything killed", "everything killed again and again", "first process killed"}}
"""Modal does not say that its main process was killed from inside."""


def is_lost(environment: Environment, command: str) -> bool:
    try:
        environment.execute(command, timeout=20)
    except SandboxLostError:
        return True
    return False


@pytest.mark.parametrize("name", DODGES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_broken_sandbox_is_the_agents_result(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, name: str
) -> None:
    subject, dodge = SUBJECTS[backend](request), DODGES[name]
    if name in ENDS_THE_SANDBOX.get(backend, ()):
        with subject.open() as environment:
            assert until(lambda: is_lost(environment, dodge.commands), 20)
        return
    with subject.open() as environment:
        base = worktree.pin_base(environment, tmp_path / "store")
        environment.execute(f"{WORK}\n{dodge.commands}", timeout=20)
        environment.execute("true", timeout=20)
        taken = worktree.capture(environment, tmp_path / "store", base)
    found = b"diff --git a/work.txt b/work.txt" in taken.patch
    if backend in SEEN_INSIDE_ONLY:
        assert found or taken.findings
    elif dodge.kept:
        assert found, taken.findings
    else:
        assert taken.patch == b""
        assert [finding.kind for finding in taken.findings] == ["repository_gone"]
