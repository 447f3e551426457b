"""Explain the episodes of a run: the cause of each failure, with the evidence that the record holds."""

from collections.abc import Iterator, Mapping, Sequence

from cooperbench.analysis.explanation.causes import feature_causes
from cooperbench.analysis.explanation.models import Cause, ContestedPlace, ContestedSymbol, Explanation, FeatureCause
from cooperbench.analysis.explanation.places import Hunks, contested_places
from cooperbench.analysis.explanation.sentences import describe
from cooperbench.analysis.explanation.symbols import contested_symbols
from cooperbench.errors import RecordError
from cooperbench.records import Conflict, ConversationMessage, EpisodeResult, Evaluation, Event, Stage, Verdict
from cooperbench.records.base import UtcTime
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.records.event_details import GitMoved, ToolReturned
from cooperbench.records.hunks import split_hunks
from cooperbench.records.readers import read_conversation, read_events, read_patch
from cooperbench.records.run_result import RunResult

_ORDER = list(Cause)


def explain_run(run: RunResult) -> Iterator[Explanation]:
    """Explain each episode of a run under the policy that it is seen under."""
    for episode in run.episodes:
        yield explain_episode(run, episode)


def explain_episode(run: RunResult, episode: EpisodeView) -> Explanation:
    """Explain one episode. Reads its patches, messages and events only if it failed."""
    verdict, result, evaluation = episode.verdict, episode.result, episode.evaluation
    if verdict is None or result is None or evaluation is None:
        return _without_verdict(run, episode)
    features = feature_causes(result, evaluation, verdict)
    found = sorted({each.cause for each in features}, key=_ORDER.index)
    if not found:
        return _explanation(run, episode, verdict.outcome.value, None, (), describe(None, verdict, result, (), (), ()))
    places, symbols, unclear = _evidence(episode, result, evaluation, verdict)
    return _explanation(
        run,
        episode,
        verdict.outcome.value,
        found[0],
        tuple(found[1:]),
        describe(found[0], verdict, result, features, places, symbols),
        features,
        places,
        symbols if Cause.BREAK in found else (),
        unclear,
    )


def _explanation(
    run: RunResult,
    episode: EpisodeView,
    outcome: str,
    cause: Cause | None,
    also: tuple[Cause, ...],
    sentence: str,
    features: tuple[FeatureCause, ...] = (),
    places: tuple[ContestedPlace, ...] = (),
    symbols: tuple[ContestedSymbol, ...] = (),
    unclear: tuple[str, ...] = (),
) -> Explanation:
    return Explanation(
        run=run.config.run,
        episode=str(episode.group),
        policy=run.policy,
        outcome=outcome,
        cause=cause,
        also=also,
        sentence=sentence,
        features=features,
        places=places,
        symbols=symbols,
        unclear=unclear,
    )


def _without_verdict(run: RunResult, episode: EpisodeView) -> Explanation:
    error = episode.result.error if episode.result else None
    if episode.state is EpisodeState.INFRA_ERROR:
        said = f"{error.boundary}: {error.message}" if error else "the episode failed for reasons outside of the agents"
        return _explanation(run, episode, episode.state.value, Cause.INFRASTRUCTURE, (), said)
    if episode.state is EpisodeState.FINISHED:
        return _explanation(run, episode, "not judged", None, (), f"not judged under {run.policy} yet")
    return _explanation(run, episode, episode.state.value, None, (), episode.note or "the episode did not finish")


def _evidence(
    episode: EpisodeView, result: EpisodeResult, evaluation: Evaluation, verdict: Verdict
) -> tuple[tuple[ContestedPlace, ...], tuple[ContestedSymbol, ...], tuple[str, ...]]:
    unclear: list[str] = []
    conversation: tuple[ConversationMessage, ...] = ()
    events: tuple[Event, ...] = ()
    try:
        conversation = read_conversation(episode.files)
    except (FileNotFoundError, RecordError):
        unclear.append("the conversation cannot be read")
    try:
        events = read_events(episode.files)
    except (FileNotFoundError, RecordError):
        unclear.append("the events cannot be read")
    dropped = {(each.agent_id, each.path) for each in evaluation.dropped}
    hunks: Hunks = {
        agent_id: [
            hunk
            for hunk in split_hunks(read_patch(episode.files, member.submission))
            if (agent_id, hunk.path) not in dropped
        ]
        for agent_id, member in result.agents.items()
        if member.submission is not None and member.submission.file
    }
    conflicts = _conflicts(evaluation.stages, verdict)
    places = contested_places(hunks, conflicts, conversation, first_writes(events))
    return places, contested_symbols(hunks, conversation), tuple(unclear)


def _conflicts(stages: Sequence[Stage], verdict: Verdict) -> dict[str, Conflict]:
    stage = next((stage for stage in stages if stage.name == verdict.stage), None)
    steps = stage.steps if stage is not None else ()
    return {conflict.path: conflict for step in steps for conflict in step.conflicts}


def first_writes(events: Sequence[Event]) -> Mapping[tuple[str, str], UtcTime]:
    """Return when each member (first) changed each path (second) first, by its commands and pushes."""
    first: dict[tuple[str, str], UtcTime] = {}
    for event in events:
        if event.agent_id is None or event.kind not in ("tool.result", "git.push"):
            continue
        details = event.details
        changed = details.changed or () if isinstance(details, ToolReturned) else ()
        pushed = details.refs if isinstance(details, GitMoved) else ()
        for path in (*changed, *(path for ref in pushed for path in ref.changed or ())):
            first.setdefault((event.agent_id, path), event.time)
    return first
