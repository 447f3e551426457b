"""Write the record of an episode, in the order readers rely on: patches, histories, messages, result."""

import contextlib
import shutil
from datetime import datetime
from typing import Any, NamedTuple

from cooperbench.evaluation import make_submission, task_language
from cooperbench.records import (
    ConversationMessage,
    Ending,
    EpisodeDirectory,
    EpisodeResult,
    EpisodeStatus,
    Failure,
    Member,
    MemberResult,
    Submission,
    Trajectory,
    member_stem,
    utc_now,
    write_bytes,
    write_model,
)
from cooperbench.records.conversation import Conversation
from cooperbench.records.host_paths import without_host_paths
from cooperbench.runner.episodes.job import Job
from cooperbench.runner.episodes.members import MemberRun
from cooperbench.runner.episodes.outcomes import first_cause
from cooperbench.runner.episodes.submission import choose_patch
from cooperbench.runner.workers.output import read_end

RUN_COST = "run cost"


class EndedEpisode(NamedTuple):
    """An episode whose members have ended, before its record is written."""

    job: Job
    runs: list[MemberRun]
    """Of the members that were started."""
    conversation: list[ConversationMessage]
    events: bytes
    failure: Failure | None
    """Why the episode as a whole failed, if it did."""
    started_at: datetime


def write_record(ended: EndedEpisode) -> EpisodeResult:
    """Write everything that an episode leaves, `result.json` last, and return the result."""
    directory = ended.job.episode.directory
    runs = {run.member.agent_id: run for run in ended.runs}
    members = {
        member.agent_id: _write_member(ended, runs[member.agent_id])
        if member.agent_id in runs
        else _not_started(member, ended.failure)
        for member in ended.job.episode.members
    }
    write_model(directory.conversation, Conversation(tuple(ended.conversation)))
    write_bytes(directory.events, ended.events)
    result = _episode_result(ended, members)
    write_model(directory.result, result)
    return result


def _write_member(ended: EndedEpisode, run: MemberRun) -> MemberResult:
    directory = ended.job.episode.directory
    stem = member_stem(ended.job.config.setting, run.member.features)
    submission = None if run.outcome.ending is Ending.INFRA_ERROR else _write_submission(directory, stem, run)
    _write_trajectory(directory, stem, run)
    _keep_logs(directory, stem, run)
    delivered = [message for message in ended.conversation if message.refused is None]
    return MemberResult(
        **_identity(run.member),
        **dict(run.outcome),
        feature_id=run.member.features[0],
        cost=run.outcome.usage.cost,
        role=run.member.role,
        messages_sent=sum(message.sender == run.member.agent_id for message in delivered),
        messages_received=sum(message.to == run.member.agent_id for message in delivered),
        patch_lines=submission.lines if submission else 0,
        submission=submission,
        trajectory=directory.trajectory(stem).name,
        started_at=run.started_at,
        ended_at=run.ended_at,
        isolation=run.sandbox.isolation if run.sandbox else None,
        layers=run.sandbox.layers if run.sandbox else {},
    )


def _write_submission(directory: EpisodeDirectory, stem: str, run: MemberRun) -> Submission:
    captured = run.captured
    patch, source = choose_patch(run.returned_patch, captured.patch if captured else b"")
    file = directory.patch(stem)
    write_bytes(file, patch)
    return make_submission(
        run.member.agent_id,
        run.member.features,
        patch,
        file=file.name,
        source=source,
        base_tree=run.sandbox.base_tree if run.sandbox else None,
        skipped=captured.skipped if captured else (),
        ignored=captured.ignored if captured else (),
        findings=captured.findings if captured else (),
    )


def _write_trajectory(directory: EpisodeDirectory, stem: str, run: MemberRun) -> None:
    trajectory = Trajectory(
        **_identity(run.member),
        status=run.outcome.status,
        steps=run.outcome.steps,
        cost=run.outcome.usage.cost,
        messages=run.messages,
    )
    write_model(directory.trajectory(stem), trajectory)


def _keep_logs(directory: EpisodeDirectory, stem: str, run: MemberRun) -> None:
    """Keep what the agent wrote into its `log_dir`, and what its process printed if that is anything."""
    target = directory.path / f"{stem}_logs"
    logs = run.spec.log_dir
    with contextlib.suppress(shutil.Error):  # pipes, dead links: what can be copied was copied
        if logs.is_dir() and any(logs.iterdir()):
            shutil.copytree(logs, target, dirs_exist_ok=True, symlinks=True)
    printed = read_end(run.folder.log)
    if printed:
        target.mkdir(exist_ok=True)
        text = without_host_paths(printed.decode("utf-8", "surrogateescape"))
        write_bytes(target / "process.log", text.encode("utf-8", "surrogateescape"))


def _not_started(member: Member, failure: Failure | None) -> MemberResult:
    now = utc_now()
    return MemberResult(
        **_identity(member),
        feature_id=member.features[0],
        role=member.role,
        ending=Ending.INFRA_ERROR,
        status="NotStarted",
        error=failure,
        started_at=now,
        ended_at=now,
    )


def _identity(member: Member) -> dict[str, Any]:
    """Return the fields that every file about a member begins with."""
    return {name: getattr(member.recorded(), name) for name in ("agent_id", "agent", "model", "features")}


def _episode_result(ended: EndedEpisode, members: dict[str, MemberResult]) -> EpisodeResult:
    config, episode = ended.job.config, ended.job.episode
    costs = [member.usage.cost for member in members.values()]
    known = [cost for cost in costs if cost is not None]
    ended_at = utc_now()
    return EpisodeResult(
        run=config.run,
        configuration=config.digest,
        setting=config.setting,
        repo=episode.group.repo,
        task_id=episode.group.task_id,
        features=episode.group.features,
        repeat=episode.group.repeat,
        task_revision=episode.task.revision,
        language=task_language(episode.task),
        titles={feature: episode.task.features[feature].title for feature in episode.group.features},
        status=_status(ended.failure, members),
        agents=members,
        image=episode.task.image,
        image_digest=next((run.sandbox.image_digest for run in ended.runs if run.sandbox), None),
        base_commit=episode.task.recipe.base_commit,
        backend=config.backend,
        total_cost=sum(known) if len(known) == len(costs) else None,
        total_steps=sum(member.steps for member in members.values()),
        messages=sum(message.refused is None for message in ended.conversation),
        started_at=ended.started_at,
        ended_at=ended_at,
        duration_seconds=(ended_at - ended.started_at).total_seconds(),
        attempt=ended.job.attempt,
        error=ended.failure or first_cause(members.values()),
    )


def _status(failure: Failure | None, members: dict[str, MemberResult]) -> EpisodeStatus:
    endings = {member.ending for member in members.values()}
    if Ending.INFRA_ERROR in endings or failure is not None:
        return EpisodeStatus.INFRA_ERROR
    # Where the run's money is used up rather than the member's, more of it lets the episode be repeated.
    out_of_money = any(member.limit is not None and member.limit.kind == RUN_COST for member in members.values())
    return EpisodeStatus.INTERRUPTED if Ending.INTERRUPTED in endings or out_of_money else EpisodeStatus.COMPLETED
