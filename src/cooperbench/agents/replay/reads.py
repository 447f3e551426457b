"""What a member read from its teammates in an earlier run, and after how many answers of its model."""

from bisect import bisect_right
from pathlib import Path

from cooperbench.collaboration.arrivals import RecordedRead
from cooperbench.collaboration.message import HARNESS
from cooperbench.errors import RecordError
from cooperbench.records.layout import EpisodeDirectory
from cooperbench.records.readers import read_conversation, read_events


def recorded_reads(episode: Path, agent_id: str) -> tuple[RecordedRead, ...] | None:
    """Return what was read, in order; `None` where the record does not say."""
    place = EpisodeDirectory(episode)
    try:
        conversation, events = read_conversation(place), read_events(place)
    except (FileNotFoundError, RecordError):
        return None
    answered = sorted(event.time for event in events if event.kind == "model.call" and event.agent_id == agent_id)
    read = sorted(
        (message.read_at, message.sender)
        for message in conversation
        if message.to == agent_id and message.read_at is not None and message.sender != HARNESS
    )
    return tuple(RecordedRead(sender, bisect_right(answered, moment)) for moment, sender in read)
