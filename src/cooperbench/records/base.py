"""The base of every stored record."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError


class Record(BaseModel):
    """A piece of the record on disk or of what crosses a boundary: refuses unknown keys, and never changes."""

    # Building validators when they are first used saves a command that reads a run 30 of 180 ms at its start.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


FeatureId = Annotated[int, Field(ge=0)]
"""The number in the name of a feature's folder (`feature7` is 7). Numbers are not always contiguous."""

AgentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""The name of one member of an episode: `agent1`, `agent2`, …; `solo` when one agent works alone."""


def _inner(path: str) -> str:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path or len(path) > 4096:
        raise ValueError("not a path inside the folder")
    return path


def _plain(name: str) -> str:
    if "/" in name or len(name) > 255 or name in (".", "..", "") or "\0" in name:
        raise ValueError("not the plain name of a file or folder")
    return name


InnerPath = Annotated[str, AfterValidator(_inner)]
"""A path below a folder, with `/`, that does not lead out of it."""

PlainName = Annotated[str, AfterValidator(_plain)]
"""The name of a file or folder: records come from others, and a path would lead out of the run."""

UtcTime = AwareDatetime


def first_error(error: ValidationError) -> tuple[str, str]:
    """Return the place (`tasks.0.repo`; empty for the whole) and the message of the first error in a validation."""
    first = error.errors()[0]
    return ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)
