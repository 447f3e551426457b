"""Create the files of a new task: a repository at a commit, a runner, and empty features to fill in."""

import re
import tempfile
from pathlib import Path

from cooperbench._git import Git
from cooperbench.errors import UsageError
from cooperbench.records.paths import AnyPath
from cooperbench.tasks.dataset import read_task
from cooperbench.tasks.images import REPOSITORY_FILES
from cooperbench.tasks.task import Task

DOCKERFILE = """\
# The build context is this folder. To build on another base: --build-arg BASE_IMAGE=...
ARG BASE_IMAGE=python:3.11-slim
FROM ${{BASE_IMAGE}}

RUN command -v git >/dev/null || {{ apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*; }}

# The bundle holds the base commit and its history, and nothing after it.
COPY {repository} /tmp/{repository}
RUN git clone --quiet --branch {branch} /tmp/{repository} /workspace/repo \\
    && git -C /workspace/repo remote remove origin \\
    && rm /tmp/{repository}
WORKDIR /workspace/repo

# Install everything that the tests need: nothing is installed during evaluation.
RUN {setup}

COPY runner.sh /usr/local/bin/runner.sh
RUN chmod 755 /usr/local/bin/runner.sh
ENTRYPOINT ["/usr/local/bin/runner.sh"]
"""

RUNNER = """\
#!/bin/sh
# runner.sh <tests.patch> [<feature.patch>]: names of files in /patches. The exit code is that of the tests.
set -eu
cd /workspace/repo
git reset --hard --quiet
git clean -fdq
[ $# -lt 2 ] || git apply --whitespace=nowarn "/patches/$2"
git apply --whitespace=nowarn "/patches/$1"
{test}
"""

FEATURE = """\
# Title of feature {number}

Describe the feature, with every name, argument and message that the hidden tests rely on. Agents see nothing but this text.
"""

SETUP = "python3 -m pip install --no-cache-dir pytest && python3 -m pip install --no-cache-dir -e ."
BRANCH = "main"
BUNDLE = REPOSITORY_FILES[0]
_GIT = Git(UsageError)


def new_task(
    dataset_dir: AnyPath,
    name: str,
    *,
    repository: AnyPath,
    commit: str,
    test: str,
    setup: str = SETUP,
    task_id: int = 1,
    features: int = 2,
    history: bool = True,
) -> Task:
    """Create `<name>_task/task<ID>` from a commit of a local clone, with `features` empty features.

    `test` is the command that runs the hidden tests, `setup` the one that installs their requirements into the image. Without
    `history` agents find a single commit, which is all that a shallow or partial clone holds. Raises `UsageError` for an unusable
    name, commit or directory, and then writes nothing.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name):
        raise UsageError(
            f"{name!r} is not a task name", subject=name, hint="use lower-case letters, digits and underscores"
        )
    path = Path(dataset_dir).expanduser() / f"{name.removesuffix('_task')}_task" / f"task{task_id}"
    if path.exists():
        raise UsageError(f"{path} already exists", subject=str(path), hint="choose another --task-id")
    bundle = _bundle(Path(repository).expanduser(), commit, history=history)
    path.mkdir(parents=True)
    (path / BUNDLE).write_bytes(bundle)
    (path / "Dockerfile").write_text(DOCKERFILE.format(repository=BUNDLE, branch=BRANCH, setup=setup))
    for file, text in (("runner.sh", RUNNER.format(test=test)), ("run_tests.sh", f"#!/bin/sh\n{test}\n")):
        (path / file).write_text(text)
        (path / file).chmod(0o755)
    for number in range(1, features + 1):
        folder = path / f"feature{number}"
        folder.mkdir()
        (folder / "feature.md").write_text(FEATURE.format(number=number))
        (folder / "feature.patch").write_bytes(b"")
        (folder / "tests.patch").write_bytes(b"")
    return read_task(path)


def _bundle(repository: Path, commit: str, *, history: bool) -> bytes:
    """Bundle a commit and its history on one branch, without tags and later commits."""
    _GIT.require_commit(repository, commit)
    identifier = _GIT.run("rev-parse", "--verify", f"{commit}^{{commit}}", cwd=repository).text
    objects = Path(_GIT.run("rev-parse", "--git-path", "objects", cwd=repository).text)
    with tempfile.TemporaryDirectory(prefix="cooperbench-") as scratch:
        # A repository with nothing but this branch, which borrows the objects of the clone.
        copy = Path(scratch)
        _GIT.run("init", "--quiet", "--bare", cwd=copy)
        (copy / "objects" / "info" / "alternates").write_text(f"{(repository / objects).resolve()}\n")
        if not history:
            identifier = _without_parents(copy, identifier)
        _GIT.run("update-ref", f"refs/heads/{BRANCH}", identifier, cwd=copy)
        try:
            return _GIT.run("bundle", "create", "--quiet", "-", f"refs/heads/{BRANCH}", cwd=copy).stdout
        except UsageError as error:
            raise UsageError(
                f"{repository} does not hold the whole history of {commit}: {error.message}",
                subject=str(repository),
                hint="run git fetch --unshallow or git fetch --refetch, or use --no-history",
            ) from error


def _without_parents(repository: Path, commit: str) -> str:
    """Copy a commit as the root of a new history."""
    text = _GIT.run("cat-file", "commit", commit, cwd=repository).stdout
    head, _, message = text.partition(b"\n\n")
    lines = head.split(b"\n")
    # Signatures and other extra headers, which may have several lines, belong to the original.
    kept = [line for line in lines if line.startswith((b"tree ", b"author ", b"committer ", b"encoding "))]
    data = b"\n".join(kept) + b"\n\n" + message
    return _GIT.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=data, cwd=repository).text
