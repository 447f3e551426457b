"""The file `task.toml` of a Harbor task, as far as CooperBench writes and reads it.

Harbor's own models need Python 3.12 and 150 packages, so these are ours; `benchmarks/harbor.py` runs what they write in the real program.
"""

from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tomlkit.exceptions import ParseError

from cooperbench.errors import TaskError
from cooperbench.records import Record, first_error

SCHEMA_VERSION = "1.4"


class HarborPackage(Record):
    """The section `task`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
    description: str = ""
    keywords: tuple[str, ...] = ()


class HarborMetadata(Record):
    """The section `metadata`, which Harbor passes on as it is: where in CooperBench the task comes from."""

    setting: str
    task: str
    """`repo/task_id`: the pool of features. Tasks of one pool are not independent of each other."""
    features: tuple[int, ...]
    image: str
    base_commit: str | None = None
    revision: str
    """Digest of all files of the task."""
    gold_sha256: dict[str, str]
    """Of each feature's gold patch, by number."""
    tests_sha256: dict[str, str]
    """Of each feature's hidden tests, by number."""
    licence: str


class HarborEnvironment(Record):
    """The section `environment`. The verifier's own container is made of the same image."""

    network_mode: str = "public"


class HarborCollect(Record):
    """A command that Harbor runs in the agent's container when the agent is done."""

    command: str
    timeout_sec: float = 600.0


class HarborVerifier(Record):
    """The section `verifier`."""

    timeout_sec: float
    environment_mode: str = "separate"
    collect: tuple[HarborCollect, ...]


class HarborTaskFile(Record):
    """What CooperBench writes into `task.toml`."""

    schema_version: str = SCHEMA_VERSION
    task: HarborPackage
    metadata: HarborMetadata
    environment: HarborEnvironment = HarborEnvironment()
    verifier: HarborVerifier

    def text(self) -> str:
        """Return the file."""
        return tomlkit.dumps(self.model_dump(mode="json", exclude_none=True))


class _ReadEnvironment(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    docker_image: str | None = None


class HarborSource(BaseModel):
    """What CooperBench reads of anybody's `task.toml`. Sections that say nothing about a task's content are Harbor's alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: str = SCHEMA_VERSION
    environment: _ReadEnvironment = _ReadEnvironment()
    metadata: dict[str, Any] = Field(default_factory=dict)
    steps: list[Any] | None = None


def read_task_file(path: Path) -> HarborSource:
    """Read a `task.toml`. Raises `TaskError` for a file that is not one, or of another major version."""
    try:
        data = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}", subject=str(path)) from error
    except (ParseError, ValueError) as error:
        raise TaskError(f"{path} is not TOML: {error}", subject=str(path)) from error
    data.setdefault("schema_version", data.pop("version", SCHEMA_VERSION))
    try:
        found = HarborSource.model_validate(data)
    except ValidationError as error:
        place, message = first_error(error)
        raise TaskError(f"{path} is not a task of Harbor: {place}: {message}", subject=str(path)) from error
    if found.schema_version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise TaskError(
            f"{path} has the format version {found.schema_version}; CooperBench reads 1.x", subject=str(path)
        )
    return found
