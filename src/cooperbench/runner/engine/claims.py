"""Claim episodes of a run that several processes share: mkdir, rename and a touched file. No lock, no server, no comparison of clocks.

    .f1_f2.claims/claim.<n>/         n is the attempt and the fencing number; made by mkdir, so by exactly one process; never removed
    .f1_f2.claims/claim.<n>/beat     touched by the owner; others only ask "has it changed since I last looked?"
    .f1_f2.claims/claim.<n>/end      how the claim ended, where its owner ended in order
    .f1_f2.claims/work.<n>/          where attempt n writes
    f1_f2/                           work.<n> renamed. Renaming onto a folder with content fails, so that there is one, for ever

Safety rests on mkdir and rename, which file servers carry out atomically. Clocks, caches and stopped processes can only cost time: an
owner that lost its claim by mistake, or wakes up late, fails at its rename. See `docs/design/claims.md`.
"""

import errno
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import RecordError, UsageError
from cooperbench.records import EpisodeDirectory, EpisodeResult, EpisodeStatus, read_model, write_model
from cooperbench.records.claims import Claimant, ClaimEnd, Ended, newest_claim
from cooperbench.runner.planning.plan import Episode

LOOKS = 4
"""Unchanged looks after which an owner may count as dead."""
PATIENCE = 90.0
"""Seconds. Clients of NFS cache attributes for up to 60; three beats are added."""
OWNER = "claim.json"
"""In a published episode: the claimant that published it."""


@dataclass(frozen=True)
class ClaimOptions:
    """How the processes that share a run divide its episodes."""

    patience: float = PATIENCE
    """Seconds without a sign of life after which an owner counts as dead."""
    shard: tuple[int, int] | None = None
    """Take only every n-th episode: (3, 16) is the third of sixteen parts."""
    token: str = ""
    """Hexadecimal name of this claimant, where whoever started it has to know it; drawn by default."""

    @property
    def beat(self) -> float:
        """Seconds between two signs of life."""
        return min(10.0, self.patience / 9)

    def part(self, episodes: Sequence[Episode]) -> Sequence[Episode]:
        """Return the episodes of the shard, by default all."""
        number, parts = self.shard or (1, 1)
        return episodes[number - 1 :: parts]

    def check(self) -> None:
        """Raise `UsageError` for values out of range."""
        if self.patience <= 0:
            raise UsageError("the patience of claims must be positive", subject="claim_patience")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            number, parts = self.shard
            raise UsageError(
                f"shard {number}/{parts} does not exist",
                subject="shard",
                hint="--shard 1/16 to --shard 16/16, for example",
            )


class ClaimLost(Exception):
    """The episode is somebody else's by now."""


class _Seen(NamedTuple):
    """An owner's last sign of life, and when this process saw it, by its own monotonic clock."""

    number: int
    stamp: int
    since: float
    last: float
    looks: int


class Claims:
    """One process's claims on the episodes of a run."""

    def __init__(self, options: ClaimOptions, me: Claimant) -> None:
        self.options = options
        self.me = me
        self._seen: dict[Path, _Seen] = {}

    def take(self, episode: EpisodeDirectory, *, above: int = 0) -> int | None:
        """Claim an episode. Return the number of the claim, which is above `above`, or `None` while somebody else works on it."""
        newest = newest_claim(episode)
        if newest and not self._is_free(episode, newest):
            return None
        number = max(newest, above) + 1
        claim = episode.claim(number)
        claim.parent.mkdir(parents=True, exist_ok=True)
        try:
            claim.mkdir()
        except FileExistsError:
            # Somebody was faster. Or it is our own, and the file server's first answer was lost: nobody beats there, and it is taken over.
            return None
        (claim / "beat").write_text(
            self.me.model_dump_json()
        )  # not flushed to disk, which takes 4 ms: it is worthless after a crash
        return number if newest_claim(episode) == number else None

    def beat(self, episode: EpisodeDirectory, number: int) -> None:
        """Give a sign of life. Raises `ClaimLost` when the episode has another owner."""
        if newest_claim(episode) != number:
            raise ClaimLost
        os.utime(episode.claim(number) / "beat", None)  # by the file server's clock

    def publish(self, episode: EpisodeDirectory, number: int, attempt: EpisodeDirectory) -> None:
        """Make the work of an attempt the record of the episode, on which this process holds claim `number`. Raises `ClaimLost`."""
        if newest_claim(episode) != number:  # spares most races; the rename decides
            raise ClaimLost
        self._set_aside(episode)
        work = attempt.path
        try:
            if work.is_dir():
                write_model(work / OWNER, self.me)
            work.rename(episode.path)
        except OSError as error:
            if error.errno == errno.ENOENT and self._is_mine(episode):
                return  # the answer to a first try was lost, and a second one found nothing left to rename
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT):
                raise ClaimLost from error
            raise RecordError(f"cannot write {episode.path}: {error.strerror}", subject=str(episode.path)) from error

    def end(self, episode: EpisodeDirectory, number: int, how: Ended) -> None:
        """Say how a claim ended, so that nobody needs patience."""
        with suppress(RecordError):  # a full disk costs the next one its patience
            write_model(episode.claim(number) / "end", ClaimEnd(ended=how))

    def discard_of_this_host(
        self, episode: EpisodeDirectory, attempt: EpisodeDirectory, discard: Callable[[EpisodeDirectory], None]
    ) -> None:
        """Call `discard` for an attempt whose owner ran on this host; another host's sandboxes are not this one's to touch."""
        number = int(attempt.path.name.rpartition(".")[2])
        with suppress(FileNotFoundError, RecordError):
            if read_model(episode.claim(number) / "beat", Claimant).host == self.me.host:
                discard(attempt)

    def _is_mine(self, episode: EpisodeDirectory) -> bool:
        with suppress(FileNotFoundError, RecordError):
            return read_model(episode.path / OWNER, Claimant).token == self.me.token
        return False

    def _set_aside(self, episode: EpisodeDirectory) -> None:
        """Move what a process without claims left unfinished out of the way.

        The target is numbered before the look: of two owners that do this one fails, and cannot move what the other has published.
        """
        target = episode.claims / f"before.{len(list(episode.claims.glob('before.*'))) + 1}"
        published = (episode.path / OWNER).exists() or finished_result(episode) is not None
        if not published and episode.path.is_dir() and any(episode.path.iterdir()):
            with suppress(OSError):
                episode.path.rename(target)

    def _is_free(self, episode: EpisodeDirectory, number: int) -> bool:
        if end_of(episode, number) is not None:
            return True
        now = time.monotonic()  # before the look: a stop between the two must not count as silence
        stamp = _stamp(episode.claim(number) / "beat")
        seen = self._seen.get(episode.path)
        stopped = seen is not None and now - seen.last > self.options.patience / 2  # this process itself
        if seen is None or stopped or (seen.number, seen.stamp) != (number, stamp):
            self._seen[episode.path] = _Seen(number, stamp, now, now, 1)
            return False
        enough = now - seen.last >= self.options.beat / 2
        self._seen[episode.path] = seen = seen._replace(last=now, looks=seen.looks + enough)
        return seen.looks >= LOOKS and now - seen.since > self.options.patience


def release(token: str, episodes: Iterable[EpisodeDirectory]) -> int:
    """End the claims of a claimant that is believed dead, so that nobody needs patience. Return how many it held.

    A mistake costs time only: a claimant that lives on loses its episodes as it would after any other takeover.
    """
    held = 0
    for episode in episodes:
        number = newest_claim(episode)
        with suppress(FileNotFoundError, NotADirectoryError, RecordError):
            if end_of(episode, number) is None and read_model(episode.claim(number) / "beat", Claimant).token == token:
                write_model(episode.claim(number) / "end", ClaimEnd(ended="interrupted"))
                held += 1
    return held


def finished_result(episode: EpisodeDirectory) -> EpisodeResult | None:
    """Return the result of an episode that has ended with work to judge; `None` before that."""
    with suppress(FileNotFoundError, NotADirectoryError, RecordError):
        result = read_model(episode.result, EpisodeResult)
        return result if result.status is EpisodeStatus.COMPLETED else None
    return None


def end_of(episode: EpisodeDirectory, number: int) -> Ended | None:
    """Return how a claim ended; `None` when its owner still works, or died."""
    with suppress(FileNotFoundError, NotADirectoryError, RecordError):
        return read_model(episode.claim(number) / "end", ClaimEnd).ended
    return None


def _stamp(beat: Path) -> int:
    """Return when an owner gave its last sign of life, in nanoseconds of whatever clock; 0 before the first."""
    try:
        descriptor = os.open(beat, os.O_RDONLY | os.O_CLOEXEC)  # NFS asks the server at an open, not at a stat
    except OSError:
        return 0
    try:
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)
