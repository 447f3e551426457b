"""`submission.json`, `manifest.json` and the verification of a bundle: results of runs with all that is needed to judge them again."""

from enum import StrEnum

from pydantic import Field

from cooperbench.records.base import AgentId, InnerPath, PlainName, Record, UtcTime
from cooperbench.records.run import GroupKey, TaskRevision
from cooperbench.records.team import Limits, Role, Setting
from cooperbench.records.verdict import EvaluationChoices, Outcome

SUBMISSION = "submission.json"
FORMAT = 1
"""Version of the format of bundles. A changed meaning is a new number."""


class PublishedRate(Record):
    """A pass rate of groups; repeats of a group are averaged first."""

    rate: float = Field(ge=0, le=1, description="Of the groups with a verdict.")
    low: float = Field(description="Lower limit of the interval.")
    high: float = Field(description="Upper limit of the interval.")
    confidence: float = 0.95
    method: str = Field(description="`cluster Wilson`, or `plain Wilson` where all groups are of one pool.")
    passed: float = Field(description="Sum of the groups' outcomes.")
    groups: int = Field(ge=1, description="Groups with a verdict.")
    pools: int = Field(ge=1, description="Tasks that the groups are of.")


class PublishedMember(Record):
    """One member of the team. Its whole configuration is in `config.json`."""

    agent_id: AgentId
    agent: str
    model: str
    role: Role | None = None
    limits: Limits


class PublishedPatch(Record):
    """The submission of one member."""

    agent_id: AgentId
    sha256: str = Field(description="Of the patch's bytes, as in `result.json`.")
    bytes: int = Field(ge=0)


class PublishedEpisode(Record):
    """One episode, with the digests of all that its verdict rests on."""

    group: GroupKey
    outcome: Outcome | None = Field(description="`None` where there is no verdict.")
    missing: str = Field("", description="Why there is no verdict.")
    cost: float | None = Field(None, description="US dollars; `None` if unknown.")
    task_revision: str | None = Field(None, description="Digest of the task's files.")
    image_digest: str | None = None
    evaluation: str | None = Field(None, description="Digest of everything that the stages depend on.")
    patches: tuple[PublishedPatch, ...] = ()


class PublishedRun(Record):
    """One run: who worked, on which data, under which rules, and what came out of it."""

    run: PlainName
    setting: Setting
    git: bool
    messaging: bool
    task_board: bool
    backend: str
    members: tuple[PublishedMember, ...]
    data: TaskRevision
    repeats: int = Field(ge=1)
    planned: int = Field(ge=1, description="Episodes, repeats included.")
    judged: int = Field(ge=1)
    evaluator: str
    choices: EvaluationChoices
    groups: PublishedRate
    cost: float | None = Field(None, description="US dollars of all episodes; `None` if one's is unknown.")
    versions: dict[str, str] = Field(default_factory=dict, description="Of the programs that the run was made with.")
    episodes: tuple[PublishedEpisode, ...]


class PublishedResult(Record):
    """Runs of one team, each in another setting: the content of `submission.json`."""

    format: int = Field(FORMAT, ge=1)
    cooperbench: str = Field(description="Version of the program that wrote the bundle.")
    team: str = Field(min_length=1, max_length=200)
    policy: str = Field(description="The policy that all verdicts go by, such as `naive@1`.")
    trajectories: str | None = Field(None, description="Licence of the trajectories; `None` where there are none.")
    runs: tuple[PublishedRun, ...] = Field(min_length=1)


class BundledFile(Record):
    """One file of a bundle."""

    path: InnerPath
    bytes: int = Field(ge=0)
    sha256: str


class BundleManifest(Record):
    """Every file of a bundle but this one. The digest of this file is the bundle's."""

    format: int = Field(FORMAT, ge=1)
    files: tuple[BundledFile, ...]


class DiscrepancyKind(StrEnum):
    """The way in which a bundle is not what it says."""

    CHANGED_FILE = "changed file"
    MISSING_FILE = "missing file"
    ADDED_FILE = "added file"
    UNREADABLE = "unreadable"
    STATEMENT = "statement"
    """`submission.json`, or another file made from the runs, says something else than the runs."""
    VERDICT = "verdict"
    TEST = "test"
    MERGE = "merge"
    NOT_JUDGED = "not judged"


class Discrepancy(Record):
    """One thing in a bundle that is not as it says."""

    kind: DiscrepancyKind
    place: str = Field(description="A file, a field, or an episode with stage and test.")
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}{f': {self.detail}' if self.detail else ''}"


class Verification(Record):
    """The result of checking a bundle and judging its patches again."""

    format: int = FORMAT
    bundle: str = Field(description="Digest of the bundle: sha256 of its `manifest.json`.")
    team: str
    cooperbench: str
    evaluator: str
    backend: str | None = Field(None, description="Where patches were judged again; `None` if they were not.")
    episodes: int = Field(ge=0, description="Episodes with a verdict.")
    judged: int = Field(0, ge=0, description="Of these, episodes that were judged again.")
    tests: int = Field(0, ge=0, description="Results of single tests that were compared.")
    discrepancies: tuple[Discrepancy, ...] = ()
    flaky: tuple[Discrepancy, ...] = Field((), description="Differences that another repetition did not show.")
    notes: tuple[str, ...] = Field((), description="What may explain differences, such as another image.")
    checked_at: UtcTime

    @property
    def verified(self) -> bool:
        """True if something was judged again and nothing differs."""
        return not self.discrepancies and self.judged > 0
