"""`config.json` and `summary.json`: what a run was asked to do, and what came out of it."""

import hashlib
import json
from typing import Any, Self

from pydantic import AliasChoices, Field

from cooperbench.records.base import FeatureId, PlainName, Record, UtcTime
from cooperbench.records.falsification import Falsify
from cooperbench.records.host_paths import without_host_paths
from cooperbench.records.network import NetworkAccess
from cooperbench.records.team import Member, Setting


class TaskRevision(Record):
    """Which data a run works on."""

    dataset: str = Field(description="`demo`, or the name and place of the data set.")
    revision: str | None = Field(None, description="Digest of the tasks' files, or the revision on the hub.")
    subset: str | None = None


class GroupKey(Record):
    """Names one episode inside a run: a group of features, and which repeat of it."""

    repo: PlainName
    task_id: int
    features: tuple[FeatureId, ...]
    repeat: int = Field(1, ge=1, description="Counted from 1; more than 1 only in runs that repeat their groups.")

    @property
    def task(self) -> str:
        """`repo/task_id`: the pool of features, which is the cluster in statistics."""
        return f"{self.repo}/{self.task_id}"

    @property
    def first(self) -> "GroupKey":
        """The first repeat of the same group: equal for all of them, and in all runs."""
        return self if self.repeat == 1 else self.model_copy(update={"repeat": 1})

    @property
    def folder(self) -> str:
        """Name of the episode's directory: `f1_f2`, and `f1_f2-repeat2` for the second repeat."""
        features = "_".join(f"f{feature}" for feature in self.features)
        return features if self.repeat == 1 else f"{features}-repeat{self.repeat}"

    def __str__(self) -> str:
        return f"{self.task}/{self.folder}"


MAY_DIFFER = frozenset({"created_at", "command", "versions", "image_digests", "max_cost", "network", "experiment"})
"""Fields that may differ between two sessions of the same run. `network` follows from `backend` and `environment`."""


class RunConfig(Record):
    """Everything needed to repeat a run. No secrets."""

    schema_version: int = 1
    run: str
    experiment: str | None = Field(None, description="The set of runs that this one belongs to.")
    setting: Setting
    team: tuple[Member, ...] = Field(description="The members; features are assigned to them by position.")
    tasks: TaskRevision
    groups: tuple[GroupKey, ...]
    backend: str
    environment: dict[str, Any] = Field(default_factory=dict, description="Limits and network of the sandboxes.")
    network: NetworkAccess | None = Field(None, description="What the sandboxes reach; unknown in earlier runs.")
    git: bool = False
    messaging: bool = True
    task_board: bool = False
    policy: str = "naive@1"
    falsify: Falsify = Field("on", description="Whether passes are proven by broken tests; concerns verdicts only.")
    image_digests: dict[str, str] = Field(default_factory=dict)
    prompt_hash: str | None = None
    seed: int | None = None
    max_cost: float | None = Field(None, description="US dollars for the whole run.")
    versions: dict[str, str] = Field(default_factory=dict, description="cooperbench, python, git, …")
    command: tuple[str, ...] = Field((), description="The command line, scrubbed.")
    created_at: UtcTime

    @property
    def repeats(self) -> int:
        """How often each group is run."""
        return max((group.repeat for group in self.groups), default=1)

    def seed_of(self, group: GroupKey) -> int | None:
        """Return the seed of one episode: each repeat has another one."""
        return None if self.seed is None else self.seed + group.repeat - 1

    def recorded(self) -> Self:
        """Return the configuration as it is recorded: nothing in it says where this machine keeps its files."""
        team = tuple(member.recorded() for member in self.team)
        return self.model_copy(update={"team": team, "command": tuple(map(without_host_paths, self.command))})

    @property
    def digest(self) -> str:
        """Content address of how an episode of this run is made: the same for the same run under another name or with other episodes."""
        choices = self.model_dump(mode="json", exclude={*MAY_DIFFER, "run", "groups", "falsify"})
        choices["tasks"].pop("revision")  # it covers all tasks of the run
        return "sha256:" + hashlib.sha256(json.dumps(choices, sort_keys=True).encode()).hexdigest()[:32]


class RunSummary(Record):
    """Whole-run numbers, recomputed from the episodes each time."""

    schema_version: int = 1
    run: str
    experiment: str | None = Field(None, description="The set of runs that this one belongs to.")
    setting: Setting
    policy: str | None = Field(
        None, description="The policy that `passed` and `outcomes` go by. Absent in earlier runs."
    )
    planned: int
    completed: int
    infra_errors: int
    interrupted: int = 0
    evaluated: int = 0
    passed: int = 0
    outcomes: dict[str, int] = Field(default_factory=dict)
    falsification_warnings: int = Field(
        0, description="Episodes that passed and broken tests contradict: `falsify` is `warn`."
    )
    features_passed: int = 0
    features_total: int = 0
    total_cost: float | None = Field(
        None, description="US dollars of the finished episodes; `None` if one's is unknown."
    )
    wasted_cost: float = Field(
        0.0,
        validation_alias=AliasChoices("wasted_cost", "lost_cost"),  # the older name, in earlier runs
        description="US dollars, as far as known, that belong to no finished episode: discarded attempts (interrupted, failed, or repeated by force), and models that settle conflicts.",
    )
    total_steps: int = 0
    messages: int = 0
    agent_seconds: float = 0.0
    requested_concurrency: int | None = None
    achieved_concurrency: float | None = None
    updated_at: UtcTime
