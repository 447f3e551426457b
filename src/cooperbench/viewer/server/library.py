"""The runs that the server shows, read again when they have changed."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cooperbench.errors import RecordError, UnknownNameError
from cooperbench.records import GroupKey, RunDirectory
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.paths import default_log_dir
from cooperbench.records.run_lock import is_locked
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_run, run_names
from cooperbench.viewer.index import RunEntry, RunPage, run_entry, run_page


@dataclass
class _KnownRun:
    stamp: tuple[object, ...]
    result: RunResult
    settled: dict[GroupKey, EpisodeView] = field(default_factory=dict)
    page: RunPage | None = None
    """Of `result`; made when it is asked for."""


class Library:
    """The runs below one log directory, or those of them that were chosen. Safe to use from several threads."""

    def __init__(self, log_dir: Path | None = None, names: tuple[str, ...] = ()) -> None:
        self.log_dir = (default_log_dir() if log_dir is None else log_dir.expanduser()).absolute()
        self._chosen = names
        self._known: dict[str, _KnownRun] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """List the runs. A folder that is a link may lead out of the log directory, and is left out."""
        found = (name for name in run_names(self.log_dir) if not (self.log_dir / name).is_symlink())
        return [name for name in found if not self._chosen or name in self._chosen]

    def run(self, name: str) -> RunResult:
        """Read a run, at most once for each change. Raises `UnknownNameError`, or `RecordError` for one that is broken."""
        return self._read(name).result

    def _read(self, name: str) -> _KnownRun:
        if name not in self.names():
            raise UnknownNameError("run", name, self.names())
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            running = self.is_running(name)  # once: a run may end between two looks
            stamp = self._stamp(name, running=running)
            known = self._known.get(name)
            if known is None or known.stamp != stamp:
                # Verdicts that were seen stay while a run goes on; afterwards all is read anew.
                settled = known.settled if known is not None and running else {}
                known = _KnownRun(stamp, read_run(name, self.log_dir, settled=settled), settled)
                self._known[name] = known
            elif running:
                known.result, known.page = read_run(name, self.log_dir, settled=known.settled), None
            return known

    def is_running(self, name: str) -> bool:
        """Return true while a process works on the run."""
        return is_locked(RunDirectory(self.log_dir / name))

    def readable(self) -> Iterator[RunResult]:
        """Yield the runs that can be read: one broken run does not hide the others."""
        for name in self.names():
            with suppress(RecordError):
                yield self.run(name)

    def entries(self) -> list[RunEntry]:
        """Describe all runs that can be read, the newest first."""
        found = [run_entry(run, running=self.is_running(run.config.run)) for run in self.readable()]
        return sorted(found, key=lambda entry: entry.created_at, reverse=True)

    def page(self, name: str) -> RunPage:
        """Describe a run with its groups."""
        known = self._read(name)
        if known.page is None:
            known.page = run_page(known.result)
        return known.page

    def episode(self, name: str, episode: str) -> tuple[RunResult, EpisodeView]:
        """Find an episode and its run. Raises `UnknownNameError`."""
        run = self.run(name)
        return run, run.episode(episode)

    def _stamp(self, name: str, *, running: bool) -> tuple[object, ...]:
        directory = RunDirectory(self.log_dir / name)
        return running, *(_changed_at(path) for path in (directory.config, directory.summary))


def _changed_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
