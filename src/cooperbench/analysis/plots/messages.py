"""When members talk."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cooperbench.analysis.samples import RunSample
from cooperbench.errors import RecordError, UsageError
from cooperbench.records import EpisodeDirectory
from cooperbench.records.readers import read_conversation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TENTHS = 10


def draw_messages(axes: "Axes", samples: Sequence[RunSample]) -> None:
    """Draw messages per episode in each tenth of its time. Raises `UsageError` where nobody sent any."""
    middles = [100 * (tenth + 0.5) / TENTHS for tenth in range(TENTHS)]
    drawn = False
    for sample in samples:
        counts, episodes = _by_tenth(sample)
        if any(counts):
            drawn = True
            axes.plot(middles, [count / episodes for count in counts], "o-", markersize=3, label=sample.name)
    if not drawn:
        raise UsageError("no member of these runs sent a message", hint="cooperbench report RUN --table messages")
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time of the episode, %")
    axes.set_ylabel("messages per episode")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)  # above: nothing is hidden


def _by_tenth(sample: RunSample) -> tuple[list[int], int]:
    """Count messages in each tenth of their episode's time, and the episodes that ended."""
    counts, episodes = [0] * TENTHS, 0
    for row in sample.rows:
        if row.started_at is None or row.ended_at is None or not row.seconds:
            continue
        episodes += 1
        with contextlib.suppress(FileNotFoundError, RecordError):
            for message in read_conversation(EpisodeDirectory(sample.paths[row.episode])):
                share = (message.timestamp - row.started_at).total_seconds() / row.seconds
                counts[min(max(int(share * TENTHS), 0), TENTHS - 1)] += 1
    return counts, episodes
