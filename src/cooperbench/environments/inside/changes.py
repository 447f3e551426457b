"""Which files of the work tree changed while a command ran. Joined to `exec_agent.py`, which asks after each command.

Sizes, times and inodes are compared, not contents: 1 ms for 500 files. A tree with too many files is not watched, and where a look
takes long there are fewer looks; what they miss is reported with a later command.
"""

import os
import time

UNWATCHED = frozenset(
    [
        ".git",
        "__pycache__",
        "node_modules",
        ".venv",
        "venv",
        ".tox",
        "target",
        ".mypy_cache",
        ".pytest_cache",
        ".gradle",
    ]
)
MOST_FILES = 20000
MOST_PATHS = 100
SHORT_LOOK = 0.01
LARGEST_SHARE = 0.05


class Changes:
    """The files of one folder as they were at the last look."""

    def __init__(self, folder):
        self.folder = folder
        self.took = 0.0
        self.ended = 0.0
        self.seen = self.look()

    def look(self):
        """Return size, time and inode of each file by its path; `None` when there are too many."""
        begun, found, folders = time.monotonic(), {}, [""]
        while folders:
            place = folders.pop()
            try:
                entries = list(os.scandir(os.path.join(self.folder, place)))
            except OSError:
                continue
            for entry in entries:
                path = os.path.join(place, entry.name)
                try:
                    if not entry.is_dir(follow_symlinks=False):
                        state = entry.stat(follow_symlinks=False)
                        found[path] = (state.st_size, state.st_mtime_ns, state.st_ino)
                    elif entry.name not in UNWATCHED:
                        folders.append(path)
                except OSError:
                    continue
            if len(found) > MOST_FILES:
                return None
        self.ended = time.monotonic()
        self.took = self.ended - begun
        return found

    def since(self):
        """Return the paths that changed since the last look, at most 100; `None` when nobody looked."""
        if self.seen is None:
            return None
        if self.took > SHORT_LOOK and time.monotonic() - self.ended < self.took / LARGEST_SHARE:
            return None
        before, self.seen = self.seen, self.look()
        if self.seen is None:
            return None
        paths = [path for path in before.keys() | self.seen.keys() if before.get(path) != self.seen.get(path)]
        return sorted(path.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for path in paths)[:MOST_PATHS]


WATCHED: "dict[str, Changes]" = {}


def watch(folder):
    """Return the changes of a folder, watched since it was first named; `None` without a folder."""
    if folder and folder not in WATCHED:
        WATCHED[folder] = Changes(folder)
    return WATCHED.get(folder)
