"""Which runs can be published together, and what keeps others from it."""

from collections.abc import Sequence

from cooperbench.errors import UsageError
from cooperbench.evaluation.policies import POLICIES, RESOLVER
from cooperbench.records import EvaluationChoices
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.records.readers import read_patch
from cooperbench.records.run_result import RunResult
from cooperbench.records.secrets import holds_key

_RUN_AGAIN = frozenset({EpisodeState.NEW, EpisodeState.UNFINISHED, EpisodeState.INTERRUPTED, EpisodeState.UNREADABLE})


def check_runs(runs: Sequence[RunResult], *, incomplete: bool) -> None:
    """Raise `UsageError` for runs that do not belong in one bundle, or of which others could not check the results.

    With `incomplete`, episodes without a verdict may be missing.
    """
    check_policies(runs)
    settings: dict[tuple[object, ...], str] = {}
    for run in runs:
        name, config = run.config.run, run.config
        other = settings.setdefault((config.setting, config.git, config.messaging, config.task_board), name)
        if other != name:
            raise UsageError(
                f"runs {other} and {name} are both of the setting {config.setting}: a bundle has one run for each setting",
                subject=name,
                hint=f"make a bundle for each, or join parts of one run: cooperbench runs merge NAME {other} {name}",
            )
        if len(set(config.groups)) != len(config.groups):
            raise UsageError(f"run {name} lists an episode twice", subject=name)
        if config.tasks.revision is None:
            raise UsageError(f"run {name} does not say which data it is of", subject=name, hint="run it again")
        _check_verdicts(run, incomplete=incomplete)
        choices_of(run)


def check_policies(runs: Sequence[RunResult]) -> None:
    """Raise `UsageError` unless all runs are seen under one policy, whose verdicts can be repeated without a model."""
    first = runs[0]
    for run in runs[1:]:
        if run.policy != first.policy:
            raise UsageError(
                f"run {first.config.run} is judged by {first.policy} and run {run.config.run} by {run.policy}",
                subject=run.config.run,
                hint="name one policy for all: --policy union",
            )
    if RESOLVER in POLICIES[first.policy].stages:
        raise UsageError(
            f"verdicts of {first.policy} rest on merges by a model, which others cannot repeat",
            subject=first.policy,
            hint="--policy union",
        )


def choices_of(run: RunResult) -> tuple[str, EvaluationChoices]:
    """Return the evaluator of a run and its choices. Raises `UsageError` if episodes were evaluated in different ways."""
    found = {
        (each.evaluation.evaluator, each.evaluation.choices.model_dump_json()): each.evaluation.choices
        for each in run.episodes
        if each.verdict is not None and each.evaluation is not None
    }
    if len(found) > 1:
        (one, first), (other, second), *_ = found
        differ = f"{one} and {other}" if one != other else f"choices {first} and {second}"
        name = run.config.run
        raise UsageError(
            f"episodes of run {name} were evaluated in different ways: {differ}",
            subject=name,
            hint=f"cooperbench eval -n {name} --force",
        )
    [((evaluator, _), choices)] = found.items()
    return evaluator, choices


def _check_verdicts(run: RunResult, *, incomplete: bool) -> None:
    name = run.config.run
    if not run.episodes:
        raise UsageError(f"run {name} has no episodes", subject=name, hint="cooperbench runs list")
    missing = [(each, why) for each in run.episodes if (why := why_missing(each))]
    if len(missing) == len(run.episodes):
        raise UsageError(
            f"run {name} has no verdict under {run.policy} that can be published: {missing[0][0].group}: {missing[0][1]}",
            subject=name,
            hint=_next_step(run, missing[0][0]),
        )
    if missing and not incomplete:
        raise UsageError(
            f"run {name} lacks {len(missing)} of {len(run.episodes)} verdicts; {missing[0][0].group}: {missing[0][1]}",
            subject=name,
            hint=f"{_next_step(run, missing[0][0])}; or --incomplete, which counts them as failed on leaderboards",
        )


def why_missing(episode: EpisodeView) -> str:
    """Return why an episode cannot be published with a verdict; empty if it can."""
    if episode.state is not EpisodeState.FINISHED:
        error = episode.result.error if episode.result is not None else None
        why = error.kind if error is not None else episode.note
        return episode.state.value.replace("_", " ") + (f": {why}" if why else "")
    if episode.verdict is None or episode.evaluation is None:
        return "not judged"
    for member in episode.result.agents.values() if episode.result is not None else ():
        submission = member.submission
        if submission is not None and submission.file and holds_key(read_patch(episode.files, submission)):
            return f"{submission.file} holds what looks like a key"
    return ""


def _next_step(run: RunResult, episode: EpisodeView) -> str:
    if episode.state in _RUN_AGAIN or episode.state is EpisodeState.INFRA_ERROR:
        return f"repeat the command of run {run.config.run}, which resumes it"
    if episode.verdict is None:
        return f"cooperbench eval -n {run.config.run} --policy {run.policy}"
    return "cooperbench submit RUN --out bundle --incomplete"
