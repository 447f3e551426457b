"""Writing the record of an episode, in the order in which readers may rely on it: patches, histories, messages, result."""

import contextlib
import shutil
from collections.abc import Callable
from datetime import datetime

from cooperbench.evaluation import make_submission
from cooperbench.records import (
    ConversationMessage,
    Ending,
    EpisodeDirectory,
    EpisodeResult,
    EpisodeStatus,
    Failure,
    Member,
    MemberResult,
    RunConfig,
    Submission,
    Trajectory,
    member_stem,
    utc_now,
    write_bytes,
    write_model,
)
from cooperbench.records.conversation import CONVERSATION
from cooperbench.runner.episodes.job import Job
from cooperbench.runner.episodes.seats import SeatRun
from cooperbench.runner.episodes.submission import choose_patch
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.workers.output import read_end

RUN_COST = "run cost"


def write_record(
    job: Job,
    seats: list[SeatRun],
    conversation: list[ConversationMessage],
    failure: Failure | None,
    started_at: datetime,
    finish_timeline: Callable[[], bytes],
) -> EpisodeResult:
    """Write everything that an episode leaves, `result.json` last, and return the result."""
    config, episode = job.config, job.episode
    directory = episode.directory
    members: dict[str, MemberResult] = {}
    for seat in seats:
        stem = member_stem(config.setting, seat.order.member.features)
        submission = None if seat.ending is Ending.INFRA_ERROR else _write_submission(directory, stem, seat)
        _write_trajectory(directory, stem, seat)
        _keep_logs(directory, stem, seat)
        members[seat.order.member.agent_id] = _member_result(seat, submission, conversation)
    for member in episode.members:
        members.setdefault(member.agent_id, _not_started(member, failure))
    write_bytes(directory.conversation, CONVERSATION.dump_json(conversation, indent=2, by_alias=True) + b"\n")
    write_bytes(directory.events, finish_timeline())
    result = _episode_result(config, episode, members, seats, conversation, failure, started_at, job.attempt)
    write_model(directory.result, result)
    return result


def _write_submission(directory: EpisodeDirectory, stem: str, seat: SeatRun) -> Submission:
    captured = seat.captured
    returned_patch = seat.folder.returned_patch.read_bytes() if seat.folder.returned_patch.exists() else b""
    patch, source = choose_patch(returned_patch, captured.patch if captured else b"")
    file = directory.patch(stem)
    write_bytes(file, patch)
    return make_submission(
        seat.order.member.agent_id,
        seat.order.member.features,
        patch,
        file=file.name,
        source=source,
        base_tree=seat.sandbox.base_tree if seat.sandbox else None,
        skipped=captured.skipped if captured else (),
    )


def _write_trajectory(directory: EpisodeDirectory, stem: str, seat: SeatRun) -> None:
    member = seat.order.member
    trajectory = Trajectory(
        agent_id=member.agent_id,
        agent=member.agent,
        model=member.model,
        features=member.features,
        status=seat.outcome.status,
        steps=seat.outcome.steps,
        cost=seat.outcome.usage.cost,
        messages=seat.messages,
    )
    write_model(directory.trajectory(stem), trajectory)


def _keep_logs(directory: EpisodeDirectory, stem: str, seat: SeatRun) -> None:
    """Keep what the agent wrote into its `log_dir`, and what its process printed if that is anything."""
    target = directory.path / f"{stem}_logs"
    with contextlib.suppress(shutil.Error):  # pipes, dead links: what can be copied was copied
        if seat.order.log_dir.is_dir() and any(seat.order.log_dir.iterdir()):
            shutil.copytree(seat.order.log_dir, target, dirs_exist_ok=True, symlinks=True)
    printed = read_end(seat.folder.log)
    if printed:
        target.mkdir(exist_ok=True)
        write_bytes(target / "process.log", printed)


def _member_result(
    seat: SeatRun, submission: Submission | None, conversation: list[ConversationMessage]
) -> MemberResult:
    member, outcome = seat.order.member, seat.outcome
    delivered = [message for message in conversation if message.refused is None]
    return MemberResult(
        agent_id=member.agent_id,
        agent=member.agent,
        model=member.model,
        features=member.features,
        role=member.role,
        ending=outcome.ending,
        status=outcome.status,
        steps=outcome.steps,
        usage=outcome.usage,
        messages_sent=sum(message.sender == member.agent_id for message in delivered),
        messages_received=sum(message.to == member.agent_id for message in delivered),
        patch_lines=submission.lines if submission else 0,
        submission=submission,
        limit=outcome.limit,
        error=outcome.error,
        started_at=seat.started_at,
        ended_at=seat.ended_at,
        isolation=seat.sandbox.isolation if seat.sandbox else None,
    )


def _not_started(member: Member, failure: Failure | None) -> MemberResult:
    now = utc_now()
    return MemberResult(
        agent_id=member.agent_id,
        agent=member.agent,
        model=member.model,
        features=member.features,
        role=member.role,
        ending=Ending.INFRA_ERROR,
        status="NotStarted",
        error=failure,
        started_at=now,
        ended_at=now,
    )


def _episode_result(
    config: RunConfig,
    episode: Episode,
    members: dict[str, MemberResult],
    seats: list[SeatRun],
    conversation: list[ConversationMessage],
    failure: Failure | None,
    started_at: datetime,
    attempt: int,
) -> EpisodeResult:
    endings = {member.ending for member in members.values()}
    status = EpisodeStatus.COMPLETED
    if Ending.INFRA_ERROR in endings or failure is not None:
        status = EpisodeStatus.INFRA_ERROR
    elif Ending.INTERRUPTED in endings or any(_cut_short(member) for member in members.values()):
        status = EpisodeStatus.INTERRUPTED
    infra = (member.error for member in members.values() if member.ending is Ending.INFRA_ERROR)
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
        status=status,
        agents=members,
        image=episode.task.image,
        image_digest=next((seat.sandbox.image_digest for seat in seats if seat.sandbox), None),
        base_commit=episode.task.recipe.base_commit,
        backend=config.backend,
        total_cost=sum(known) if len(known) == len(costs) else None,
        total_steps=sum(member.steps for member in members.values()),
        messages=sum(message.refused is None for message in conversation),
        started_at=started_at,
        ended_at=ended_at,
        duration_seconds=(ended_at - started_at).total_seconds(),
        attempt=attempt,
        error=failure or next((error for error in infra if error is not None), None),
    )


def _cut_short(member: MemberResult) -> bool:
    """Whether the run's money was used up rather than the member's: with more of it, the episode is repeated."""
    return member.limit is not None and member.limit.kind == RUN_COST
