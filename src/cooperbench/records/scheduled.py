"""`slurm/job.json`: the scheduler's job that works on a run."""

from contextlib import suppress
from typing import Literal

from cooperbench.errors import RecordError
from cooperbench.records.base import Record
from cooperbench.records.files import read_model
from cooperbench.records.layout import RunDirectory


class ScheduledJob(Record):
    """The newest job of a run."""

    scheduler: Literal["slurm"]
    number: str


def read_job(directory: RunDirectory) -> ScheduledJob | None:
    """Return the newest job of a run; `None` for a run without one."""
    with suppress(FileNotFoundError, RecordError):
        return read_model(directory.job, ScheduledJob)
    return None
