"""What a member at work has done so far."""

from pathlib import Path

from pydantic import ValidationError

from cooperbench.records.base import Record, UtcTime
from cooperbench.records.episode import LimitReached, Usage


class Progress(Record):
    """What a member at work has done so far; the live display reads it."""

    steps: int = 0
    usage: Usage = Usage()
    last_action: str = ""
    messages: int = 0
    """Sent to teammates."""
    limit: LimitReached | None = None
    """The limit that ended the work: the member has little time left to end by itself."""
    asked_at: UtcTime | None = None
    """When the model was asked, while its answer is awaited, further attempts included. Told by the built-in models only."""
    updated_at: UtcTime


def read_progress(path: Path) -> Progress | None:
    """The progress written last; `None` when there is none yet, in the middle of a write, or when the agent made something else of it."""
    try:
        return Progress.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
