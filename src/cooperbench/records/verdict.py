"""`eval.json`: what the merged work of an episode is worth, and every stage on the way to that verdict."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.episode import Failure
from cooperbench.records.falsification import Falsification, Falsify

TIME_LIMIT = 900.0
"""Seconds for one suite, the runner's installation included."""
Install = Literal["once", "always"]
"""`once` leaves out a runner's installation step where it was seen to change nothing."""
Singles = Literal["none", "own", "all"]
"""Which suites run on each member's work alone: none, those of its own features, or those of all features."""


class EvaluationChoices(Record):
    """The options that an evaluation depends on besides submissions, task and image; all are part of its key."""

    singles: Singles = Field("own", description="Whose suites run on each member's work alone.")
    time_limit: float = Field(TIME_LIMIT, gt=0, description="Seconds for one suite, installation included.")
    network: Literal["default", "none", "full"] | None = Field(
        None, description="Of the sandboxes; by default off where a task installs nothing."
    )
    recount: bool = Field(False, description="Repair patches with wrong hunk counts.")
    install: Install = Field("once", description="Leave out installations that were seen to change nothing, or none.")
    falsify: Falsify = Field(
        "on", description="Run suites that pass again with broken tests: judge by it, or only say so."
    )


class Outcome(StrEnum):
    """The result for one feature or for a group."""

    PASSED = "passed"
    TESTS_FAILED = "tests_failed"
    FORCED = "forced"
    """The tests pass, and so do tests that nobody can pass."""
    MERGE_CONFLICT = "merge_conflict"
    PATCH_REJECTED = "patch_rejected"
    """A submission could not be applied to the base."""
    NO_PATCH = "no_patch"
    INFRA_ERROR = "infra_error"
    """The evaluation failed, not the submission; repeated, and never counted as the agents' failure."""


class TestStatus(StrEnum):
    """The result of one test."""

    __test__ = False  # pytest would collect it by its name

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class TestCase(Record):
    """One test as the runner named it."""

    __test__ = False

    name: str
    status: TestStatus
    output: str | None = Field(
        None, description="What it printed, of a failing test whose output the runner sets apart."
    )


class SuiteResult(Record):
    """One run of one feature's hidden tests on one tree."""

    feature: FeatureId
    outcome: Outcome
    exit_code: int | None = None
    tests: tuple[TestCase, ...] = ()
    source: str = Field(
        "",
        description="Where the results come from: `pytest-guard`, `go-json`, `junit`, …; what ends in `-guard` is signed.",
    )
    seconds: float = Field(0.0, ge=0, description="Of the runner alone, its installation included.")
    started_at: UtcTime | None = None
    ended_at: UtcTime | None = None
    failed: tuple[str, ...] = Field((), description="Names of the tests that had to pass and did not.")
    output_tail: str = Field("", description="The end of what the runner printed.")
    reason: str = Field("", description="One line that says why, when it did not pass.")
    falsification: Falsification | None = Field(None, description="The runs with broken tests, of a suite that passed.")
    changed: tuple[str, ...] = Field(
        (), description="Tests, and parts of the test runner, that were not what they are in the gold patch's run."
    )


class StageStatus(StrEnum):
    """The result of merging in one stage."""

    CLEAN = "clean"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    """A submission did not apply to the base."""
    EMPTY = "empty"
    """Nobody submitted anything."""
    NOT_RUN = "not_run"
    ERROR = "error"


class ConflictSides(Record):
    """A conflicting region as it is in the base and on both sides."""

    base: str
    ours: str
    theirs: str


class Conflict(Record):
    """One file that a merge could not settle."""

    path: str
    kind: str = Field(description="content, add/add, modify/delete, …, as git names it.")
    regions: tuple[tuple[int, int], ...] = Field(
        (), description="First and last line of each conflicting region in the merged file."
    )
    ours: tuple[AgentId, ...] = Field((), description="The members merged before whose work changes the file.")
    theirs: AgentId | None = Field(None, description="The member whose work conflicts with theirs.")
    sides: tuple[ConflictSides, ...] = Field((), description="The text of each region, of the first 20.")


class MergeStep(Record):
    """The addition of one member's work to what was merged before; members are merged in the order of their ids."""

    agent_id: AgentId
    status: StageStatus
    conflicts: tuple[Conflict, ...] = ()
    relation: str | None = Field(None, description="`identical` or `contained`, when the work was already there.")
    reason: str = Field("", description="What git says about a patch that does not apply.")


class Stage(Record):
    """One way of putting the submissions together, with the tests run on what came out."""

    name: str = Field(description="naive, union, resolver, or single:<agent_id>.")
    status: StageStatus
    steps: tuple[MergeStep, ...] = ()
    merged_patch: str | None = Field(None, description="Name of the file with the merged patch, next to the record.")
    tree: str | None = Field(None, description="Git tree id of the merged work; equal trees are tested once.")
    suites: tuple[SuiteResult, ...] = ()
    started_at: UtcTime | None = Field(None, description="When the merge began. Absent in earlier runs.")
    ended_at: UtcTime | None = Field(None, description="When it ended; its suites ran after that.")
    same_as: str | None = Field(None, description="An earlier stage with the same tree, whose suites these are.")
    resolver: str | None = Field(None, description="The model that settled conflicts, with its settings.")
    error: Failure | None = None


class DropRule(StrEnum):
    """The rule by which a part of a submission is left out."""

    HIDDEN_TEST = "hidden_test"
    """The hidden tests write this file."""
    IN_THE_WAY = "in_the_way"
    """It stands where test files belong."""
    TEST_FILE = "test_file"
    UNIT_TESTS = "unit_tests"
    """Unit tests inside a source that the hidden tests change."""
    TEST_CONFIGURATION = "test_configuration"
    STARTS_BY_ITSELF = "starts_by_itself"
    PACKAGE_METADATA = "package_metadata"
    INSTALLED_PACKAGE = "installed_package"
    """Packages, archives and copies of modules, which tests may assert with."""
    STAND_IN = "stand_in"
    """A new module that is called like one of the standard library or of the image."""
    BUILD_HOOK = "build_hook"
    """It runs when the work is built or installed."""
    ENVIRONMENT = "environment"
    """It sets variables, or chooses interpreters and package servers."""
    RUNNER_SCRIPT = "runner_script"
    GIT = "git"
    LINK = "link"
    SUBMODULE = "submodule"
    OUTSIDE = "outside"
    """Outside of the work tree, or in git's own directory."""


class DropAction(StrEnum):
    """What became of a part of a submission that was left out."""

    LEFT_OUT = "left_out"
    """The base does not have the file, and the tests do not see it."""
    RESTORED = "restored"
    """The base's file is there."""
    PARTLY_RESTORED = "partly_restored"
    """Sections of the file are the base's."""


class DroppedPath(Record):
    """A part of a submission that was left out before merging, and why."""

    agent_id: AgentId
    path: str
    reason: str = Field(description="The rule in words.")
    rule: DropRule | None = Field(None, description="Absent in evaluations before version 5.")
    action: DropAction | None = Field(None, description="Absent in evaluations before version 5.")


class FeatureVerdict(Record):
    """One feature's result under a policy."""

    feature: FeatureId
    outcome: Outcome
    reason: str = ""
    paths: tuple[str, ...] = Field((), description="Of a merge conflict: the files.")
    tests: tuple[str, ...] = Field((), description="Of failing tests: those that had to pass and did not.")
    agents: tuple[AgentId, ...] = Field((), description="Of a rejected or missing patch: whose it is.")


class Verdict(Record):
    """The result of a group under one policy."""

    policy: str = Field(description="Name and version, such as `naive@1`.")
    stage: str | None = Field(None, description="The merge stage that decided.")
    outcome: Outcome
    features: tuple[FeatureVerdict, ...]

    @property
    def passed(self) -> bool:
        """True when every feature's hidden tests pass on the merged work."""
        return self.outcome is Outcome.PASSED


class Judged(Record):
    """The verdicts on one episode, side by side: which one counts is for the reader to name."""

    verdict: Verdict = Field(
        description="Under the run's own policy; while a stage that it needs is missing, under the one asked for."
    )
    verdicts: dict[str, Verdict] = Field(
        default_factory=dict,
        description="By policy: every one that the stored stages answer. Empty in earlier runs.",
    )

    def under(self, policy: str) -> Verdict | None:
        """Return the verdict of one policy, such as `naive@1`; `None` if it has not been given."""
        return self.verdicts.get(policy) or (self.verdict if self.verdict.policy == policy else None)


class Evaluation(Judged):
    """All stages of one episode's evaluation, and the verdicts of all policies that they answer."""

    schema_version: int = 1
    key: str = Field(
        description="Digest of everything that the stages depend on: submissions, task, image, evaluator, choices."
    )
    repo: str
    task_id: int
    features: tuple[FeatureId, ...]
    backend: str
    image: str
    image_digest: str | None = None
    evaluator: str = Field(description="Name and version of the evaluator.")
    choices: EvaluationChoices = EvaluationChoices()
    dropped: tuple[DroppedPath, ...] = ()
    recounted: tuple[AgentId, ...] = Field((), description="Members whose hunk counts were repaired on request.")
    stages: tuple[Stage, ...] = ()
    seconds: float = Field(0.0, ge=0)
    evaluated_at: UtcTime
    error: Failure | None = None
