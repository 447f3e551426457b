"""Print the messages between the members of an episode."""

from collections.abc import Iterator

from cooperbench.errors import RecordError
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.readers import read_conversation
from cooperbench.records.visible import one_line, quoted


def conversation_lines(episode: EpisodeView) -> Iterator[str]:
    """Yield a line for each message, and indented ones for the rest of its text."""
    try:
        conversation = read_conversation(episode.files)
    except FileNotFoundError:
        return
    except RecordError:
        yield f"{episode.files.conversation} cannot be read"
        return
    for message in conversation:
        refused = f" [refused: {message.refused}]" if message.refused else ""
        head, *rest = quoted(f"{message.message}{refused}", "    ").rstrip("\n").split("\n")
        yield f"{message.timestamp:%H:%M:%S} {message.sender} to {one_line(message.to)}: {head.strip()}"
        yield from rest  # indented, so that no line of a message looks like another message
