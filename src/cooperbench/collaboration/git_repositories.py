"""The repositories behind the shared remote: one for each episode, on the host, out of the agents' reach.

Many episodes start from the same commit. The history of each base commit is kept once, in a repository from which the episodes'
repositories borrow objects, so creating one takes a few milliseconds however long the history is. Different base commits do not
share a repository: what is history for one task can be the solution of another.
"""

import shutil
import threading
from pathlib import Path
from urllib.parse import quote

from cooperbench._git import Git
from cooperbench.collaboration.git_protocol import NO_OBJECT, PROTECTED
from cooperbench.errors import RemoteError
from cooperbench.records import write_bytes

_SETTINGS = {
    "receive.autogc": "false",
    "receive.denyDeleteCurrent": "ignore",
    # Some images hold the base commit without its history.
    "receive.shallowUpdate": "true",
    "receive.maxInputSize": str(1 << 30),
    # A teammate may have moved a branch on since it was listed; the commit itself is still there to be fetched.
    "uploadpack.allowAnySHA1InWant": "true",
    # Or the tips of the repository that objects are borrowed from would be advertised to a push.
    "core.alternateRefsCommand": "true",
}
GIT = Git(RemoteError, _SETTINGS)


class Repositories:
    """The repositories of a run, in one folder."""

    def __init__(self, root: Path) -> None:
        self._bases = root / "bases"
        self._episodes = root / "episodes"
        self._lock = threading.Lock()

    def path(self, episode: str) -> Path:
        """Return the path of an episode's repository."""
        return self._episodes / f"{quote(episode, safe='')}.git"

    def create(self, episode: str) -> Path:
        """Make the empty repository of an episode, in place of one of an earlier attempt."""
        path = self.path(episode)
        shutil.rmtree(path, ignore_errors=True)
        _initialize(path)
        return path

    def keep_base(self, source: Path, revision: str = "HEAD") -> str:
        """Copy the history up to `revision` from a repository or bundle, unless it is here already, and return the commit."""
        if source.is_file():
            commit = GIT.run("bundle", "list-heads", source.absolute(), revision).text.split(" ")[0]
        else:
            commit = GIT.run("rev-parse", "--verify", f"{revision}^{{commit}}", cwd=source).text
        if not commit:
            raise RemoteError(f"{source} has no {revision}", subject=str(source))
        wanted = revision if source.is_file() else commit
        with self._lock:
            base = self._base(commit)
            if not base.exists():
                unfinished = base.with_suffix(".unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                _initialize(unfinished)
                branch = f"{wanted}:refs/heads/{PROTECTED}"
                GIT.run("fetch", "-q", "--no-tags", "--update-shallow", source.absolute(), branch, cwd=unfinished)
                unfinished.rename(base)
        return commit

    def has_base(self, commit: str) -> bool:
        """Return whether the history of `commit` is kept."""
        return self._base(commit).exists()

    def borrow_base(self, episode: str, commit: str) -> None:
        """Let an episode's repository use the objects of a base that is kept."""
        alternates = self.path(episode) / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        # Atomically: a git at work in the repository would miss objects if it read half a file.
        write_bytes(alternates, f"{self._base(commit).absolute() / 'objects'}\n".encode())
        if (shallow := self._base(commit) / "shallow").exists():
            write_bytes(self.path(episode) / "shallow", shallow.read_bytes())

    def set_main(self, episode: str, commit: str) -> None:
        """Create `main` of an episode."""
        GIT.run("update-ref", f"refs/heads/{PROTECTED}", commit, NO_OBJECT, cwd=self.path(episode))

    def branches(self, episode: str) -> dict[str, str]:
        """Return the commit of each branch of an episode, by the branch's full name."""
        listing = GIT.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", cwd=self.path(episode))
        pairs = (line.partition(" ") for line in listing.stdout.decode(errors="surrogateescape").splitlines())
        return {ref: commit for commit, _, ref in pairs}

    def subject(self, episode: str, commit: str) -> str:
        """Return the first line of a commit's message."""
        return GIT.run("log", "-1", "--format=%s", commit, cwd=self.path(episode)).text

    def changed(self, episode: str, old: str, new: str) -> list[str]:
        """Return the files that differ between two commits; none when the old one is not there."""
        done = GIT.run("diff-tree", "-r", "-z", "--name-only", old, new, cwd=self.path(episode), check=False)
        return (
            [path for path in done.stdout.decode(errors="surrogateescape").split("\0") if path]
            if done.code == 0
            else []
        )

    def conflicts(self, episode: str, one: str, other: str) -> list[str]:
        """Return the files in which a merge of two commits would conflict."""
        merged = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "--allow-unrelated-histories", "-z"]
        done = GIT.run(*merged, one, other, cwd=self.path(episode), check=False)
        if done.code not in (0, 1):
            raise RemoteError(f"git merge-tree failed: {done.stderr}")
        _tree, *paths = done.stdout.decode(errors="surrogateescape").rstrip("\0").split("\0")
        return paths

    def _base(self, commit: str) -> Path:
        return self._bases / f"{commit}.git"


def _initialize(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    GIT.run("init", "--quiet", "--bare", "--object-format=sha1", f"--initial-branch={PROTECTED}", path)
