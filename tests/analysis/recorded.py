"""Runs with outcomes that are known, made through the writers of the record."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cooperbench.records import (
    Conflict,
    ConversationMessage,
    Ending,
    EpisodeResult,
    EpisodeStatus,
    Evaluation,
    Event,
    FeatureVerdict,
    GroupKey,
    LimitReached,
    Limits,
    Member,
    MemberResult,
    MergeStep,
    Outcome,
    PatchSource,
    RunConfig,
    RunDirectory,
    Setting,
    Stage,
    StageStatus,
    Submission,
    SuiteResult,
    TaskRevision,
    TestCase,
    TestStatus,
    Usage,
    Verdict,
    write_bytes,
    write_model,
)
from cooperbench.records.conversation import Conversation
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_run

BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSED, FAILED, CONFLICT = Outcome.PASSED, Outcome.TESTS_FAILED, Outcome.MERGE_CONFLICT


@dataclass(frozen=True)
class Recorded:
    """One episode: its verdict under `naive@1`, and what the stages say. Feature `n` is done by `agent<position>`."""

    features: tuple[int, ...] = (1, 2)
    repo: str = "shelfdb_task"
    task_id: int = 1
    repeat: int = 1
    outcomes: tuple[Outcome, ...] = (PASSED, PASSED)
    alone: tuple[Outcome, ...] | None = (PASSED, PASSED)
    conflicts: tuple[str, ...] = ()
    union: tuple[Outcome, ...] | None = None
    patches: tuple[bytes, ...] | None = None
    endings: tuple[Ending, ...] = (Ending.SUBMITTED, Ending.SUBMITTED)
    messages: tuple[tuple[str, str, str], ...] = ()
    """Sender, receiver and text; one each second."""
    events: tuple[Event, ...] = ()
    status: EpisodeStatus = EpisodeStatus.COMPLETED
    cost: float | None = 0.5
    judged: bool = True
    reasons: Mapping[int, str] = field(default_factory=dict)


def record_run(
    logs: Path,
    name: str,
    episodes: Sequence[Recorded],
    *,
    setting: Setting = Setting.COOP,
    model: str = "a-model",
    revision: str = "sha256:data",
    limits: Limits | None = None,
) -> RunResult:
    """Write a run and read it back."""
    directory = RunDirectory(logs / name)
    size = 1 if setting is Setting.SOLO else max(len(each.features) for each in episodes)
    team = tuple(
        Member(agent_id=f"agent{number}", agent="scripted", model=model, limits=limits or Limits())
        for number in range(1, size + 1)
    )
    config = RunConfig(
        run=name,
        setting=setting,
        team=team,
        tasks=TaskRevision(dataset="made", revision=revision),
        groups=tuple(_group(each) for each in episodes),
        backend="local",
        created_at=BEGUN,
    )
    write_model(directory.config, config)
    for each in episodes:
        _record_episode(directory, config, each)
    return read_run(name, logs)


def _group(each: Recorded) -> GroupKey:
    return GroupKey(repo=each.repo, task_id=each.task_id, features=each.features, repeat=each.repeat)


def _record_episode(directory: RunDirectory, config: RunConfig, each: Recorded) -> None:
    place = directory.episode(config.setting, _group(each))
    members = _members(place.path, config, each)
    costs = [member.cost for member in members.values() if member.cost is not None]
    result = EpisodeResult(
        run=config.run,
        setting=config.setting,
        repo=each.repo,
        task_id=each.task_id,
        features=each.features,
        status=each.status,
        agents=members,
        image="made:1",
        backend="local",
        total_cost=sum(costs) if len(costs) == len(members) else None,
        total_steps=10 * len(members),
        messages=len(each.messages),
        started_at=BEGUN,
        ended_at=BEGUN + timedelta(seconds=60),
        duration_seconds=60,
    )
    write_model(place.result, result)
    conversation = tuple(
        ConversationMessage(
            sender=sender,
            to=to,
            message=text,
            timestamp=_at(number),
            sequence=number,
            id=f"m{number}",
            read_at=_at(number),
        )
        for number, (sender, to, text) in enumerate(each.messages)
    )
    write_model(place.conversation, Conversation(conversation))
    write_bytes(place.events, b"".join(event.model_dump_json().encode() + b"\n" for event in each.events))
    if each.judged and each.status is EpisodeStatus.COMPLETED:
        write_model(place.evaluation, _evaluation(config, each))


def _at(second: int) -> datetime:
    return BEGUN + timedelta(seconds=second)


def _members(place: Path, config: RunConfig, each: Recorded) -> dict[str, MemberResult]:
    solo = config.setting is Setting.SOLO
    owned = [each.features] if solo else [(feature,) for feature in each.features]
    members = {}
    for position, features in enumerate(owned):
        agent_id = f"agent{position + 1}"
        patch = each.patches[position] if each.patches is not None else _new_file(f"new{position}.py")
        file = "solo.patch" if solo else f"agent{features[0]}.patch"
        write_bytes(place / file, patch)
        ending = each.endings[position]
        members[agent_id] = MemberResult(
            agent_id=agent_id,
            agent="scripted",
            model=config.team[0].model,
            features=features,
            ending=ending,
            status=ending.value,
            steps=10,
            cost=each.cost,
            usage=Usage(cost=each.cost, input_tokens=1000, output_tokens=100),
            messages_sent=sum(sender == agent_id for sender, _, _ in each.messages),
            submission=Submission(
                agent_id=agent_id,
                features=features,
                file=file,
                sha256=hashlib.sha256(patch).hexdigest(),
                bytes=len(patch),
                lines=1,
                source=PatchSource.CAPTURED if patch else PatchSource.NONE,
            ),
            limit=LimitReached(kind="steps", value=10, limit=10) if ending is Ending.LIMIT else None,
            started_at=BEGUN,
            ended_at=BEGUN + timedelta(seconds=60),
        )
    return members


def _new_file(name: str) -> bytes:
    return f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+x = 1\n".encode()


def _evaluation(config: RunConfig, each: Recorded) -> Evaluation:
    naive = _merged("naive", each.features, None if each.conflicts else each.outcomes, each.conflicts)
    union = _merged("union", each.features, each.union or (None if each.conflicts else each.outcomes), ())
    solo = config.setting is Setting.SOLO
    alone = [
        Stage(name=f"single:agent{position + 1}", status=StageStatus.CLEAN, suites=(_suite(feature, outcome),))
        for position, (feature, outcome) in enumerate(zip(each.features, each.alone or (), strict=False))
        if not solo
    ]
    features = tuple(
        FeatureVerdict(feature=feature, outcome=outcome, reason=each.reasons.get(feature, ""))
        for feature, outcome in zip(each.features, each.outcomes, strict=True)
    )
    failed = [outcome for outcome in each.outcomes if outcome is not PASSED]
    verdict = Verdict(policy="naive@1", stage="naive", outcome=failed[0] if failed else PASSED, features=features)
    return Evaluation(
        key="key",
        repo=each.repo,
        task_id=each.task_id,
        features=each.features,
        backend="local",
        image="made:1",
        evaluator="made",
        stages=(naive, union, *alone),
        verdict=verdict,
        verdicts={"naive@1": verdict},
        evaluated_at=BEGUN,
    )


def _merged(
    name: str, features: tuple[int, ...], outcomes: tuple[Outcome, ...] | None, conflicts: tuple[str, ...]
) -> Stage:
    status = StageStatus.CONFLICT if conflicts else StageStatus.CLEAN
    step = MergeStep(
        agent_id="agent2", status=status, conflicts=tuple(Conflict(path=path, kind="content") for path in conflicts)
    )
    suites = tuple(_suite(*pair) for pair in zip(features, outcomes or (), strict=False))
    return Stage(name=name, status=status, steps=(step,), suites=suites, tree="tree")


def _suite(feature: int, outcome: Outcome) -> SuiteResult:
    failing = TestStatus.PASSED if outcome is PASSED else TestStatus.FAILED
    tests = (TestCase(name=f"tests/test_{feature}.py::test_it", status=failing),)
    return SuiteResult(feature=feature, outcome=outcome, tests=tests)
