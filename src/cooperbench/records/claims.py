"""Who works on an episode of a run that several processes share, and the attempts that are not published yet.

`docs/design/claims.md` explains the protocol; `cooperbench.runner.engine.claims` carries it out.
"""

import os
import re
import secrets
import socket
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from cooperbench.records.base import Record
from cooperbench.records.files import matching
from cooperbench.records.layout import EpisodeDirectory

_NUMBER = re.compile(r"claim\.([1-9][0-9]*)")

Ended = Literal["finished", "interrupted", "failed", "given_up"]
"""How a claim ended. Whoever looks next may claim the episode at once, but for one that was given up."""


class Claimant(Record):
    """One process that takes episodes of a shared run."""

    host: str
    process: int
    job: str = Field("", description="The scheduler's job and node, where one started the process.")
    token: str = Field(
        description="Names the claimant: machines may have the same name, and processes the same number."
    )

    @classmethod
    def of_this_process(cls, token: str = "") -> Self:
        """Make a new claimant, with a token of its own unless one is given."""
        job = os.environ.get("SLURM_JOB_ID", "")
        node = os.environ.get("SLURMD_NODENAME", "")
        return cls(
            host=socket.gethostname(),
            process=os.getpid(),
            job=f"{job} on {node}" if job and node else job,
            token=token or secrets.token_hex(8),
        )


class ClaimEnd(Record):
    """Written into a claim when its owner has ended in order."""

    ended: Ended


def newest_claim(directory: EpisodeDirectory) -> int:
    """Return the highest number of a claim on an episode; 0 without one."""
    try:
        names = [entry.name for entry in directory.claims.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return max((int(found[1]) for name in names if (found := _NUMBER.fullmatch(name))), default=0)


def newest_attempt(directory: EpisodeDirectory) -> EpisodeDirectory | None:
    """Find the work of the newest claimant that has begun some; `None` in a run without claims."""
    for number in range(newest_claim(directory), 0, -1):
        attempt = directory.attempt(number)
        if attempt.path.is_dir():
            return attempt
    return None


def claim_folders(run: Path) -> list[Path]:
    """List the folders of claims below a run directory."""
    return [path for path in matching(run, "*/*/*/.*.claims") if path.is_dir() and not path.is_symlink()]
