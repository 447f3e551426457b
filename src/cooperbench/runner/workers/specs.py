"""The specs that the runner hands its workers: through a pipe and never to disk, since the addresses in them carry passwords.

What a worker leaves behind are the files of `cooperbench.records.member_files`.
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.records import Member, Record
from cooperbench.runner.planning.evaluation_options import EvaluationOptions
from cooperbench.runner.workers.slots import FileSlots


class MemberSpec(Record):
    """All that a worker has to know about its member."""

    run: str
    episode: str
    member: Member
    access: TeamAccess
    task: str
    image: str
    backend: str
    environment: dict[str, Any]
    config: dict[str, Any]
    store: Path
    folder: Path
    log_dir: Path
    ledger: Path | None = None
    max_cost: float | None = None
    variables: dict[str, str] = Field(default_factory=dict, repr=False)
    """Environment variables of the worker's process alone."""


class EvaluationSpec(Record):
    """All that a worker has to know to evaluate an episode."""

    run: str
    episode: str
    directory: Path
    task_path: Path
    bundled: bool
    backend: str
    policy: str
    options: EvaluationOptions = EvaluationOptions()
    force: bool = False
    handles: Path
    slots: FileSlots | None = None
    ledger: Path | None = None
    variables: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the worker's process alone."""
