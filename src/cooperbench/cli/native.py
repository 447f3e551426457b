"""Print what a product made of its group, where the gateway can tell."""

from collections.abc import Iterator

from cooperbench.cli.output import counted
from cooperbench.errors import UsageError
from cooperbench.records import Setting
from cooperbench.records.episode_state import EpisodeView

RECORDING = "native_logs/model_calls.jsonl.gz"


def native_lines(episode: EpisodeView) -> Iterator[str]:
    """Yield how many conversations the agents of a product held with the model."""
    path = episode.directory / RECORDING
    if episode.result is None or episode.result.setting is not Setting.NATIVE or not path.is_file():
        return
    from cooperbench.gateway.conversations import count_conversations  # brings the dialects with it

    try:
        found = count_conversations(path)
    except UsageError:
        return
    if found.calls:
        yield f"native held {counted(found.conversations, 'conversation')} with the model, of {counted(found.calls, 'call')}"
