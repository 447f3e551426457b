"""Check labels against the record: what they are about exists, and their quotes are its words."""

import json
from collections import defaultdict
from collections.abc import Sequence

from cooperbench.errors import RecordError, UsageError
from cooperbench.records import ConversationMessage
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.labels import Label
from cooperbench.records.readers import read_conversation, read_trajectory
from cooperbench.records.run_result import RunResult


def check_labels(run: RunResult, labels: Sequence[Label]) -> None:
    """Raise `UsageError` for the first label that names nothing in the run, or whose quote is not a part of what it names."""
    by_episode: dict[str, list[tuple[int, Label]]] = defaultdict(list)
    for number, label in enumerate(labels, 1):
        by_episode[label.episode].append((number, label))
    episodes = {str(episode.group): episode for episode in run.episodes}
    for name, numbered in by_episode.items():
        if name not in episodes:
            raise _refused(numbered[0][0], f"run {run.config.run} has no episode {name}")
        texts = _Texts(episodes[name])
        for number, label in numbered:
            text = texts.of(label)
            if text is None:
                raise _refused(number, f"{name} has no {_about(label)}")
            if label.quote and label.quote not in text:
                raise _refused(number, f"the quote {label.quote[:60]!r} does not stand in {_about(label)} of {name}")


class _Texts:
    """The texts of one episode, read when they are needed."""

    def __init__(self, episode: EpisodeView) -> None:
        self._episode = episode
        self._messages: dict[int, str] | None = None
        self._steps: dict[str, list[str]] = {}

    def of(self, label: Label) -> str | None:
        """Return the text that a label is about; `None` if there is no such thing."""
        if label.message is not None:
            return self._conversation().get(label.message)
        result = self._episode.result
        if label.agent_id is None:
            messages = self._conversation().values()
            agents = result.agents if result is not None else ()
            return "\n".join([*messages, *(step for agent_id in agents for step in self._trajectory(agent_id))])
        if result is None or label.agent_id not in result.agents:
            return None
        steps = self._trajectory(label.agent_id)
        if label.step is None:
            return "\n".join(steps)
        return steps[label.step] if label.step < len(steps) else None

    def _conversation(self) -> dict[int, str]:
        if self._messages is None:
            self._messages = {each.sequence: each.message for each in conversation_of(self._episode)}
        return self._messages

    def _trajectory(self, agent_id: str) -> list[str]:
        if agent_id not in self._steps:
            self._steps[agent_id] = []
            if self._episode.result is not None:
                try:
                    found = read_trajectory(self._episode.files, self._episode.result, agent_id)
                except FileNotFoundError:
                    return []
                self._steps[agent_id] = [_words(each.message) for each in found.messages]
        return self._steps[agent_id]


def conversation_of(episode: EpisodeView) -> tuple[ConversationMessage, ...]:
    """Return the messages of an episode; none where there is no conversation that can be read."""
    try:
        return read_conversation(episode.files)
    except (FileNotFoundError, RecordError):
        return ()


def _words(message: dict[str, object]) -> str:
    """Return every text of a message of any format, one below the other."""
    texts: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)

    collect(message)
    return "\n".join([*texts, json.dumps(message, ensure_ascii=False)])


def _about(label: Label) -> str:
    if label.message is not None:
        return f"message {label.message}"
    if label.agent_id is None:
        return "episode"
    return f"member {label.agent_id}" if label.step is None else f"step {label.step} of {label.agent_id}"


def _refused(number: int, reason: str) -> UsageError:
    return UsageError(
        f"label {number}: {reason}",
        hint="an episode's conversation.json has its messages with their numbers, agent<N>_traj.json the steps",
    )
