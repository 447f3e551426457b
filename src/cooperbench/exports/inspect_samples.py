"""An episode as a sample of Inspect."""

from typing import Any, TypeVar

from inspect_ai.log import EvalError, EvalSample
from inspect_ai.model import ChatMessageUser
from inspect_ai.scorer import Score

from cooperbench.exports.inspect_events import EventMaker, model_usage
from cooperbench.exports.inspect_messages import chat_messages
from cooperbench.records import (
    ConversationMessage,
    EpisodeResult,
    Outcome,
    Record,
    Trajectory,
    Usage,
    Verdict,
)
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.secrets import scrubbed

_Model = TypeVar("_Model", bound=Record)
PASSED, FEATURES, MERGED, ALONE = "passed", "features_passed", "merged", "passed_alone"


def sample_of(episode: EpisodeView, notes: list[str]) -> Any:
    """Convert one episode that has a result. What finds no place is added to `notes`."""
    assert episode.result is not None
    result = _clean(episode.result)
    histories = _histories(episode, result, notes)
    messages = {name: chat_messages(name, each.messages, each.model) for name, each in histories.items()}
    conversation = [_clean(message) for message in episode.conversation]
    events = [_clean(event) for event in episode.events()]
    end = max((event.time for event in events), default=result.ended_at)
    maker = EventMaker(result.started_at, histories, messages, conversation)
    usages = {name: model_usage(member.usage) for name, member in result.agents.items()}
    return EvalSample(
        id=str(episode.group.first),
        epoch=episode.group.repeat,
        input=_input(result),
        target="every hidden test of every feature passes",
        messages=_shown(messages, conversation),
        scores=_scores(episode, result),
        metadata=_metadata(episode, result),
        store=_patches(episode, result, notes),
        events=maker.events(events, end),
        model_usage=_by_model(result),
        role_usage={name: usage for name, usage in usages.items() if usage is not None},
        started_at=result.started_at,
        completed_at=end,
        total_time=(end - result.started_at).total_seconds(),
        working_time=result.duration_seconds,
        error=_error(episode, result),
        turn_count=result.total_steps,
    )


def _clean(model: _Model) -> _Model:
    """Return a record without keys and passwords."""
    data, count = scrubbed(model.model_dump_json().encode())
    return type(model).model_validate_json(data) if count else model


def _histories(episode: EpisodeView, result: EpisodeResult, notes: list[str]) -> dict[str, Trajectory]:
    found = {}
    for name in result.agents:
        try:
            found[name] = _clean(episode.trajectory(name))
        except FileNotFoundError:
            notes.append(f"{episode.group}: {name} has no trajectory")
    return found


def _input(result: EpisodeResult) -> str:
    lines = []
    for name, member in result.agents.items():
        titles = ", ".join(result.titles.get(feature, f"feature {feature}") for feature in member.features)
        lines.append(f"{name}: {titles}")
    return "\n".join(lines)


def _shown(messages: dict[str, list[Any]], conversation: list[ConversationMessage]) -> list[Any]:
    """Return what the messages of a sample are: those of one member alone, and of a team what its members said to each other."""
    if len(messages) == 1:
        return next(iter(messages.values()))
    return [
        ChatMessageUser(
            id=f"message-{message.sequence}",
            content=f"{message.sender} to {message.to}: {message.message}",
            metadata=message.model_dump(mode="json", exclude={"message"}, exclude_none=True),
        )
        for message in conversation
    ]


def _scores(episode: EpisodeView, result: EpisodeResult) -> dict[str, Any] | None:
    verdict, evaluation = episode.verdict, episode.evaluation
    if verdict is None or evaluation is None:
        return None
    stages = {stage.name: stage for stage in evaluation.stages}
    facts = {"policy": verdict.policy, "stage": verdict.stage}
    reasons = "; ".join(f"feature {each.feature}: {each.reason}" for each in verdict.features if each.reason)
    right = sum(each.outcome is Outcome.PASSED for each in verdict.features)
    scores = {
        PASSED: Score(
            value=float(verdict.passed), answer=verdict.outcome.value, explanation=reasons or None, metadata=facts
        ),
        FEATURES: Score(value=right / len(verdict.features), answer=_by_feature(verdict), metadata=facts),
    }
    if (naive := stages.get("naive")) is not None:
        paths = [conflict.path for step in naive.steps for conflict in step.conflicts]
        scores[MERGED] = Score(
            value=float(naive.status.value == "clean"), answer=naive.status.value, metadata={"conflicts": paths}
        )
    own = {f"single:{name}": member.features for name, member in result.agents.items()}
    alone = [
        suite.outcome is Outcome.PASSED
        for stage in evaluation.stages
        for suite in stage.suites
        if suite.feature in own.get(stage.name, ())
    ]
    if alone:
        scores[ALONE] = Score(value=sum(alone) / len(alone))
    return scores


def _by_feature(verdict: Verdict) -> str:
    return ", ".join(f"{each.feature}: {each.outcome.value}" for each in verdict.features)


def _metadata(episode: EpisodeView, result: EpisodeResult) -> dict[str, Any]:
    evaluation = episode.evaluation
    return {
        "cluster": episode.group.task,
        "group": str(episode.group.first),
        "repeat": episode.group.repeat,
        "features": list(episode.group.features),
        "outcome": episode.verdict.outcome.value if episode.verdict else None,
        "members": {name: member.model_dump(mode="json", exclude_none=True) for name, member in result.agents.items()},
        "result": result.model_dump(mode="json", exclude={"agents"}, exclude_none=True),
        "evaluation": None if evaluation is None else _clean(evaluation).model_dump(mode="json", exclude_none=True),
    }


def _patches(episode: EpisodeView, result: EpisodeResult, notes: list[str]) -> dict[str, str]:
    patches = {}
    for name, member in result.agents.items():
        if member.submission is None or not member.submission.file:
            continue
        text = episode.patch(name)
        if "\ufffd" in text:
            notes.append(f"{episode.group}: the patch of {name} is not all UTF-8; its other bytes are replaced")
        patches[f"{name}.patch"] = scrubbed(text.encode())[0].decode()
    return patches


def _by_model(result: EpisodeResult) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in result.agents.values():
        usage = model_usage(member.usage if member.usage != Usage() else None)
        if usage is not None:
            found[member.model] = found[member.model] + usage if member.model in found else usage
    return found


def _error(episode: EpisodeView, result: EpisodeResult) -> Any:
    """Return why there is no verdict, if infrastructure is the reason."""
    failure = result.error
    if episode.verdict is not None or (failure is None and result.status.value == "completed"):
        return None
    message = f"{failure.kind}: {failure.message}" if failure else result.status.value
    return EvalError(message=message, traceback="", traceback_ansi="")
