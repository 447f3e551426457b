"""Print one episode: its members, their conversation and its verdicts."""

from collections.abc import Iterator

from cooperbench.cli.conversation import conversation_lines
from cooperbench.cli.failures import failure_lines
from cooperbench.cli.falsification import falsification_lines
from cooperbench.cli.left_out import changed_lines, left_out_lines, unsubmitted_lines
from cooperbench.cli.native import native_lines
from cooperbench.cli.output import console, counted, print_json
from cooperbench.cli.replayed import replay_lines
from cooperbench.cli.show import episode_facts
from cooperbench.records import EpisodeResult, Evaluation
from cooperbench.records.episode_state import EpisodeState
from cooperbench.records.host_paths import recorded_model
from cooperbench.records.run_result import RunResult
from cooperbench.records.visible import one_line


def show_episode(result: RunResult, name: str, *, as_json: bool) -> None:
    """Print everything about one episode."""
    episode = result.episode(name)
    if as_json:
        print_json(episode_facts(episode))
        return
    out = console()
    if episode.result is None:
        begun = "has started and has no result yet" if episode.state is EpisodeState.UNFINISHED else "has not started"
        out.print(
            f"{episode.note}; it will be rerun" if episode.note else f"{name} {begun}", markup=False, soft_wrap=True
        )
        return
    facts = (
        [*_member_lines(episode.result), *native_lines(episode), *replay_lines(episode)],
        [*_verdict_lines(episode.evaluation, result.config.policy)],
    )
    members, verdicts = ([one_line(line) for line in lines] for lines in facts)
    for line in [*members, *conversation_lines(episode), *verdicts]:
        out.print(line, soft_wrap=True)
    out.print(f"record: {episode.directory}", markup=False)


def _member_lines(result: EpisodeResult) -> Iterator[str]:
    yield f"{result.status.value} in {result.duration_seconds:.1f} s on {result.backend}, attempt {result.attempt}"
    for member in result.agents.values():
        cost = "cost unknown" if member.usage.cost is None else f"${member.usage.cost:.4f}"
        features = ", ".join(str(feature) for feature in member.features)
        yield (
            f"{member.agent_id} (feature {features}; {member.agent} with {recorded_model(member.model)}): {member.ending.value} as "
            f"{member.status!r} after {counted(member.steps, 'step')}, {cost}, {counted(member.patch_lines, 'line')}, "
            f"{counted(member.messages_sent, 'message')} sent"
        )
        if member.limit is not None:
            yield f"  limit: {member.limit.kind} {member.limit.value:g} of {member.limit.limit:g}"
        if member.error is not None:
            yield from failure_lines(member.error)
        for finding in member.submission.findings if member.submission else ():
            yield f"  in the patch: {finding.kind} {finding.path} {finding.detail}".rstrip()
        if member.submission is not None:
            yield from unsubmitted_lines(member.submission)


def _verdict_lines(evaluation: Evaluation | None, run_policy: str) -> Iterator[str]:
    if evaluation is None:
        yield "not evaluated"
        return
    yield from left_out_lines(evaluation)
    for stage in evaluation.stages:
        conflicts = [conflict.path for step in stage.steps for conflict in step.conflicts]
        yield f"merge {stage.name}: {stage.status.value}" + (f" in {', '.join(conflicts)}" if conflicts else "")
        for suite in stage.suites:
            yield f"  feature {suite.feature}: {suite.outcome.value} in {suite.seconds:.1f} s {suite.reason}".rstrip()
            yield from falsification_lines(suite.falsification)
            yield from changed_lines(suite)
    for policy, verdict in (evaluation.verdicts or {evaluation.verdict.policy: evaluation.verdict}).items():
        own = " (the run's policy)" if policy == run_policy else ""
        yield f"{policy}: {verdict.outcome.value}{own}"
