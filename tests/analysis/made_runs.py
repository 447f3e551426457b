"""Runs with known outcomes, written with the models and the writer of the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cooperbench.records import (
    Conflict,
    ConversationMessage,
    Ending,
    EpisodeDirectory,
    EpisodeResult,
    EpisodeStatus,
    Evaluation,
    FeatureVerdict,
    GroupKey,
    Limits,
    Member,
    MemberResult,
    MergeStep,
    Outcome,
    RunConfig,
    RunDirectory,
    Setting,
    Stage,
    StageStatus,
    SuiteResult,
    TaskRevision,
    Usage,
    Verdict,
    write_model,
)
from cooperbench.records.conversation import Conversation

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """One episode with what came out of it."""

    task: int = 1
    features: tuple[int, ...] = (1, 2)
    naive: str = "clean"
    """Status of the merge by git alone; `new` and `infra_error` have no evaluation, `unjudged` has lost it."""
    passes: bool = True
    """True if the tests pass after a clean naive merge."""
    union: bool = False
    """True if they pass after the union merge of a conflict."""
    capable: bool = True
    """True if each member's own features pass alone."""
    repo: str = "shelf_task"
    repeat: int = 1
    messages: tuple[str, ...] = ()
    cost: float | None = 0.5
    """US dollars of each member."""
    steps: int = 10
    seconds: float = 60.0

    @property
    def key(self) -> GroupKey:
        return GroupKey(repo=self.repo, task_id=self.task, features=self.features, repeat=self.repeat)


@dataclass(frozen=True)
class RunFacts:
    """What a run was made with."""

    setting: Setting = Setting.COOP
    model: str = "openai/gpt-5"
    steps: int | None = 100
    wall_time: float = 3600.0
    revision: str | None = "sha256:" + "a" * 32
    task_revision: str | None = "sha256:" + "b" * 32
    messaging: bool = True
    policy: str = "naive@1"
    language: str | None = "Python"


def write_run(logs: Path, name: str, episodes: Sequence[Made], facts: RunFacts = RunFacts()) -> RunDirectory:
    """Write a whole run."""
    directory = RunDirectory(logs / name)
    members = 1 if facts.setting.alone else max((len(episode.features) for episode in episodes), default=2)
    config = RunConfig(
        run=name,
        setting=facts.setting,
        team=tuple(_member(number, facts) for number in range(1, members + 1)),
        tasks=TaskRevision(dataset="made", revision=facts.revision),
        groups=tuple(episode.key for episode in episodes),
        backend="local",
        messaging=facts.messaging,
        policy=facts.policy,
        created_at=START,
    )
    write_model(directory.config, config)
    for number, episode in enumerate(episodes):
        if episode.naive != "new":
            _write_episode(directory.episode(facts.setting, episode.key), episode, config, facts, number)
    return directory


def _member(number: int, facts: RunFacts) -> Member:
    name = facts.setting.value if facts.setting.alone else f"agent{number}"
    limits = Limits(steps=facts.steps, wall_time=facts.wall_time)
    return Member(agent_id=name, agent="scripted", model=facts.model, limits=limits)


def _write_episode(place: EpisodeDirectory, made: Made, config: RunConfig, facts: RunFacts, number: int) -> None:
    alone = facts.setting.alone
    begun = START + timedelta(seconds=number * made.seconds / 2)
    ended = begun + timedelta(seconds=made.seconds)
    work = {config.team[0].agent_id: made.features}
    if not alone:
        work = {member.agent_id: (feature,) for member, feature in zip(config.team, made.features, strict=False)}
    failed = made.naive == "infra_error"
    members = {
        name: MemberResult(
            agent_id=name,
            agent="scripted",
            model=facts.model,
            features=features,
            ending=Ending.INFRA_ERROR if failed else Ending.SUBMITTED,
            status="Submitted",
            steps=made.steps,
            cost=made.cost,
            usage=Usage(cost=made.cost, input_tokens=1000, output_tokens=100),
            started_at=begun,
            ended_at=ended,
        )
        for name, features in work.items()
    }
    result = EpisodeResult(
        run=config.run,
        setting=facts.setting,
        repo=made.repo,
        task_id=made.task,
        features=made.features,
        repeat=made.repeat,
        task_revision=facts.task_revision,
        language=facts.language,
        status=EpisodeStatus.INFRA_ERROR if failed else EpisodeStatus.COMPLETED,
        agents=members,
        image="made:1",
        image_digest="sha256:" + "c" * 64,
        backend="local",
        total_cost=None if made.cost is None else made.cost * len(members),
        total_steps=made.steps * len(members),
        messages=len(made.messages),
        started_at=begun,
        ended_at=ended,
        duration_seconds=made.seconds,
    )
    write_model(place.conversation, Conversation(tuple(_messages(made, begun))))
    if not failed and made.naive != "unjudged":
        write_model(place.evaluation, _evaluation(made, tuple(work.items()), facts, ended))
    write_model(place.result, result)


def _messages(made: Made, begun: datetime) -> list[ConversationMessage]:
    return [
        ConversationMessage(
            sender=f"agent{1 + index % 2}",
            to=f"agent{2 - index % 2}",
            message=text,
            timestamp=begun,
            sequence=index,
            id=str(index),
        )
        for index, text in enumerate(made.messages)
    ]


def _evaluation(made: Made, work: Sequence[tuple[str, tuple[int, ...]]], facts: RunFacts, at: datetime) -> Evaluation:
    conflict = made.naive == "conflict"
    stages = [_stage("naive", StageStatus(made.naive), made.features, made.passes)]
    if conflict:
        stages.append(_stage("union", StageStatus.CLEAN, made.features, made.union))
    if facts.setting is not Setting.SOLO:
        stages += [_stage(f"single:{name}", StageStatus.CLEAN, own, made.capable) for name, own in work]
    verdicts = {"naive@1": _verdict("naive@1", "naive", made.features, _outcome(made))}
    merged = made.union if conflict else _outcome(made) is Outcome.PASSED
    union = Outcome.PASSED if merged else Outcome.TESTS_FAILED
    verdicts["union@1"] = _verdict("union@1", "union" if conflict else "naive", made.features, union)
    return Evaluation(
        key="sha256:" + "d" * 32,
        repo=made.repo,
        task_id=made.task,
        features=made.features,
        backend="local",
        image="made:1",
        evaluator="made@1",
        stages=tuple(stages),
        verdict=verdicts[facts.policy],
        verdicts=verdicts,
        evaluated_at=at,
    )


def _outcome(made: Made) -> Outcome:
    if made.naive == "conflict":
        return Outcome.MERGE_CONFLICT
    if made.naive == "empty":
        return Outcome.NO_PATCH
    return Outcome.PASSED if made.passes else Outcome.TESTS_FAILED


def _stage(name: str, status: StageStatus, features: tuple[int, ...], passes: bool) -> Stage:
    outcome = Outcome.PASSED if passes else Outcome.TESTS_FAILED
    suites = tuple(SuiteResult(feature=feature, outcome=outcome) for feature in features)
    conflicts = (Conflict(path="src/shelf.py", kind="content"),) if status is StageStatus.CONFLICT else ()
    steps = (MergeStep(agent_id="agent2", status=status, conflicts=conflicts),)
    return Stage(name=name, status=status, steps=steps, suites=suites if status is StageStatus.CLEAN else ())


def _verdict(policy: str, stage: str, features: tuple[int, ...], outcome: Outcome) -> Verdict:
    reason = {Outcome.PASSED: "", Outcome.MERGE_CONFLICT: "conflict in src/shelf.py"}.get(outcome, "test_shelf failed")
    verdicts = tuple(FeatureVerdict(feature=feature, outcome=outcome, reason=reason) for feature in features)
    return Verdict(policy=policy, stage=stage, outcome=outcome, features=verdicts)
