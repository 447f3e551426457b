"""The paper's message tables: how much teams talk, what about, and with what kind of messages."""

import re
from collections import Counter
from collections.abc import Sequence

from cooperbench.analysis.labels.check import conversation_of
from cooperbench.analysis.statistics import ratio_summary
from cooperbench.records import ConversationMessage, Record
from cooperbench.records.labels import Label, LabelKind
from cooperbench.records.run_result import RunResult

_LINE = re.compile(r"\blines?\s+\d+|:\d+\b|\bL\d+\b", re.IGNORECASE)
_PATH = re.compile(
    r"\b[\w-]+(?:/[\w.-]+)+|\b[\w-]+\.(?:py|go|rs|js|jsx|ts|tsx|md|toml|json|ya?ml|c|h|cpp|java|rb|sh)\b"
)


class CommunicationTotals(Record):
    """Messages between members; notices of the harness are left out."""

    labeller: str | None
    """Whose speech acts count."""
    subset: str
    """`all`, or by the naive merge: `clean` or `conflict`."""
    episodes: int
    silent: int
    """Episodes without a message."""
    messages: int
    messages_per_episode: float | None
    overhead: float | None
    """Messages over all steps of the members."""
    line_mentions: float | None
    """Share of messages that name a line."""
    path_mentions: float | None
    """Share of messages that name a file."""
    labelled: int
    """Messages with a speech act."""
    plans: int
    questions: int
    plans_per_question: float | None
    """Ratio of sums."""
    mean_plans_per_question: float | None
    """Mean over the episodes that have a question."""
    without_question: int
    """Labelled episodes that the mean leaves out."""
    first_message_plans: float | None
    """Share of labelled conversations that begin with a plan."""


def communication_totals(
    run: RunResult, labels: Sequence[Label], labeller: str | None = None
) -> tuple[CommunicationTotals, ...]:
    """Count the messages of a run: all, and apart by the result of the naive merge.

    The speech acts of one `labeller` count, by default of the one who labelled most.
    """
    spoken_acts = [label for label in labels if label.kind is LabelKind.SPEECH_ACT and label.message is not None]
    if labeller is None and spoken_acts:
        labeller = Counter(label.labeller for label in spoken_acts).most_common(1)[0][0]
    acts = {(each.episode, each.message): each.label for each in spoken_acts if each.labeller == labeller}
    talks: dict[str, list[_Talk]] = {"all": []}
    for episode in run.episodes:
        if episode.result is None or len(episode.result.agents) < 2:
            continue
        own = [each for each in conversation_of(episode) if each.sender in episode.result.agents]
        spoken = [acts.get((str(episode.group), each.sequence)) for each in own]
        talk = _Talk(own, spoken, episode.result.total_steps)
        stages = episode.evaluation.stages if episode.evaluation is not None else ()
        naive = next((stage.status.value for stage in stages if stage.name == "naive"), None)
        talks["all"].append(talk)
        if naive in ("clean", "conflict"):
            talks.setdefault(naive, []).append(talk)
    return tuple(_totals(labeller, name, each) for name, each in talks.items())


class _Talk:
    def __init__(self, messages: Sequence[ConversationMessage], acts: Sequence[str | None], steps: int) -> None:
        self.messages = messages
        self.acts = acts
        self.steps = steps

    def count(self, act: str) -> int:
        return sum(each == act for each in self.acts)


def _totals(labeller: str | None, subset: str, talks: Sequence[_Talk]) -> CommunicationTotals:
    messages = [message.message for talk in talks for message in talk.messages]
    labelled = [talk for talk in talks if any(act is not None for act in talk.acts)]
    ratios = ratio_summary([talk.count("plan") for talk in labelled], [talk.count("question") for talk in labelled])
    return CommunicationTotals(
        labeller=labeller,
        subset=subset,
        episodes=len(talks),
        silent=sum(not talk.messages for talk in talks),
        messages=len(messages),
        messages_per_episode=_share(len(messages), len(talks)),
        overhead=_share(len(messages), sum(talk.steps for talk in talks)),
        line_mentions=_share(sum(bool(_LINE.search(text)) for text in messages), len(messages)),
        path_mentions=_share(sum(bool(_PATH.search(text)) for text in messages), len(messages)),
        labelled=sum(act is not None for talk in talks for act in talk.acts),
        plans=sum(talk.count("plan") for talk in labelled),
        questions=sum(talk.count("question") for talk in labelled),
        plans_per_question=ratios.ratio_of_sums,
        mean_plans_per_question=ratios.mean_of_ratios,
        without_question=ratios.undefined,
        first_message_plans=_share(sum(talk.acts[0] == "plan" for talk in labelled), len(labelled)),
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
