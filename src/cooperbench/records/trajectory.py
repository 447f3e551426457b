"""`agent<N>_traj.json`: the history of one member, step by step."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.files import read_file


class TrajectoryMessage(Record):
    """One message of the agent's history in its own format, with the time at which the harness saw it."""

    time: UtcTime | None = None
    message: dict[str, Any]


class Trajectory(Record):
    """One member's history."""

    schema_version: int = 1
    agent_id: AgentId
    agent: str
    model: str
    features: tuple[FeatureId, ...]
    status: str
    steps: int = Field(0, ge=0)
    cost: float | None = None
    messages: tuple[TrajectoryMessage, ...] = ()


def read_journal(path: Path) -> tuple[TrajectoryMessage, ...]:
    """Read the messages written so far, leaving out a last line that a kill cut off."""
    try:
        lines = read_file(path).splitlines(keepends=True)
    except (FileNotFoundError, RecordError):
        return ()
    entries = []
    for line in lines:
        if line.endswith(b"\n"):
            try:
                entries.append(TrajectoryMessage.model_validate_json(line))
            except ValidationError:
                continue
    return tuple(entries)
