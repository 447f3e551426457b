"""`agent<N>_logs/replay.json`: how the outputs of commands differed when recorded answers were played again."""

from pathlib import Path

from pydantic import Field

from cooperbench.errors import RecordError
from cooperbench.records.base import AgentId, Record
from cooperbench.records.files import read_model
from cooperbench.records.layout import EpisodeDirectory, member_stem
from cooperbench.records.team import Setting

FILE = "replay.json"


class OutputDifference(Record):
    """A command whose output was another one."""

    step: int = Field(ge=1, description="The answer of the model that called it, counted from 1.")
    command: str
    recorded: str = Field(description="The first line that differs, as recorded; empty past the end of that output.")
    replayed: str = Field(description="The same line, as replayed.")


class ReplayReport(Record):
    """One member's recorded answers, played again."""

    schema_version: int = 1
    run: str = Field(description="The run that the answers were recorded in.")
    agent_id: AgentId
    agent: str = Field(description="The agent that played them: the one that had asked for them.")
    answers: int = Field(ge=0, description="Recorded answers of the model.")
    played: int = Field(ge=0, description="Answers that were played again.")
    outputs: int = Field(ge=0, description="Outputs of commands that were compared.")
    different: int = Field(
        ge=0, description="Outputs that differ in more than durations, times, dates, addresses and commit ids."
    )
    first: OutputDifference | None = Field(None, description="The first of them.")

    @property
    def same(self) -> bool:
        """True when every answer was played and every output was the same."""
        return self.played == self.answers and self.different == 0


def replay_file(directory: EpisodeDirectory, setting: Setting, features: tuple[int, ...]) -> Path:
    """Return where a member's report lies: in the folder of its logs."""
    return directory.path / f"{member_stem(setting, features)}_logs" / FILE


def read_replay(directory: EpisodeDirectory, setting: Setting, features: tuple[int, ...]) -> ReplayReport | None:
    """Read a member's report; `None` when it replayed nothing."""
    try:
        return read_model(replay_file(directory, setting, features), ReplayReport)
    except (FileNotFoundError, RecordError):  # logs belong to the agent, which may write any file of that name
        return None
