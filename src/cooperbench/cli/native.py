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
    from cooperbench.gateway.conversations import count_conversations, total  # brings the dialects with it

    try:
        found = count_conversations(path)
    except UsageError:
        return
    if not found:
        return
    calls = sum(each.calls for each in found)
    yield f"native held {counted(len(found), 'conversation')} with the model, of {counted(calls, 'call')}"
    first, *others = found
    if others:
        calls = sum(each.calls for each in others)
        cost = _cost(total([each.cost for each in others]))
        yield (
            f"  its first agent made {counted(first.calls, 'call')} for {_cost(first.cost)}, "
            f"{counted(len(others), 'agent')} that it started {counted(calls, 'call')} for {cost}"
        )


def _cost(cost: float | None) -> str:
    return "an unknown cost" if cost is None else f"${cost:.4f}"
