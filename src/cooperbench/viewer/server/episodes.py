"""The parts of episodes' pages, put together once for each change of their files."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from cooperbench.records.episode_state import EpisodeView, read_state
from cooperbench.records.files import matching
from cooperbench.records.run_result import RunResult
from cooperbench.viewer.episode import read_episode
from cooperbench.viewer.parts import episode_parts

KEPT = 8
"""Episodes whose parts stay in memory; one of 2 x 200 steps takes about 2 MB."""


class EpisodeCache:
    """Keeps the parts of the episodes that were looked at last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, tuple[str, Mapping[str, bytes]]] = OrderedDict()
        self._lock = threading.Lock()

    def parts(self, run: RunResult, episode: EpisodeView) -> Mapping[str, bytes]:
        """Return the parts of an episode by name, as JSON.

        The episode is read again after its stamp: parts may be newer than the stamp that they are kept under, never older.
        """
        stamp = episode_stamp(run, episode)
        with self._lock:
            kept = self._kept.get(episode.directory)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        parts = episode_parts(read_episode(run, read_state(episode.files, episode.group, run.policy)))
        with self._lock:
            self._kept[episode.directory] = stamp, parts
            self._kept.move_to_end(episode.directory)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return parts


def episode_stamp(run: RunResult, episode: EpisodeView) -> str:
    """Return a word that changes when the episode, or what is said about it, has changed."""
    files = episode.files
    paths = [files.result, files.evaluation, files.live_events, run.directory / "labels.jsonl"]
    paths += matching(files.members, "*/messages.jsonl")
    return hashlib.sha256(repr([run.policy, *map(_changed, paths)]).encode()).hexdigest()[:16]


def _changed(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
