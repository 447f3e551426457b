"""What a run is doing at this moment, read from its directory: by the runner's display and by any other terminal."""

from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.layout import EpisodeDirectory, RunDirectory
from cooperbench.records.member_files import MemberFolder
from cooperbench.records.progress import Progress, read_progress
from cooperbench.records.run import GroupKey, RunConfig


class EpisodeStart(Record):
    """Written when an episode begins."""

    started_at: UtcTime
    attempt: int
    agents: dict[AgentId, tuple[FeatureId, ...]]


class LiveEpisode(NamedTuple):
    """An episode at work."""

    group: GroupKey
    start: EpisodeStart
    progress: dict[str, Progress | None]


def start_file(directory: EpisodeDirectory) -> Path:
    """Where the start of an episode is noted while it runs."""
    return directory.work / "start.json"


def read_start(directory: EpisodeDirectory) -> EpisodeStart | None:
    """How an episode began that has no result yet; `None` when it did not, or when that is being written."""
    try:
        return EpisodeStart.model_validate_json(start_file(directory).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def read_live(directory: RunDirectory, config: RunConfig) -> list[LiveEpisode]:
    """The episodes at work, in the order of the plan."""
    found = (_read_episode(group, directory.episode(config.setting, group)) for group in config.groups)
    return [episode for episode in found if episode is not None]


def _read_episode(group: GroupKey, directory: EpisodeDirectory) -> LiveEpisode | None:
    start = read_start(directory)
    if start is None:
        return None
    progress = {
        agent: read_progress(MemberFolder(directory.work / "members" / agent).progress) for agent in start.agents
    }
    return LiveEpisode(group, start, progress)
