"""Where things lie inside a run directory. The names are public: users' scripts read them."""

from dataclasses import dataclass
from pathlib import Path

from cooperbench.records.run import GroupKey
from cooperbench.records.team import Setting

DEPTH = 3
"""Folders between a run and an episode: setting, repository, task."""


@dataclass(frozen=True)
class EpisodeDirectory:
    """`<log_dir>/<run>/<setting>/<repo>/<task_id>/f1_f2/`."""

    path: Path
    evaluator: str = ".evaluation"
    """The folder, seen from here, of the process that evaluates; each claimant has its own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))  # callers have strings too

    @property
    def result(self) -> Path:
        """Status of the episode and its members."""
        return self.path / "result.json"

    @property
    def evaluation(self) -> Path:
        """Merge stages, tests and the verdict."""
        return self.path / "eval.json"

    @property
    def conversation(self) -> Path:
        """The messages between members, in the broker's order."""
        return self.path / "conversation.json"

    @property
    def events(self) -> Path:
        """Log of everything that happened, in order."""
        return self.path / "events.jsonl"

    @property
    def work(self) -> Path:
        """State of an episode in progress; gone when it is finished."""
        return self.path / ".work"

    @property
    def start(self) -> Path:
        """`EpisodeStart`, while the episode is in progress."""
        return self.work / "start.json"

    @property
    def live_events(self) -> Path:
        """The events so far, while the episode is in progress."""
        return self.work / "events.jsonl"

    @property
    def members(self) -> Path:
        """A `MemberFolder` for each member, while the episode is in progress."""
        return self.work / "members"

    @property
    def evaluation_work(self) -> Path:
        """State of an evaluation in progress."""
        return self.path / self.evaluator

    @property
    def claims(self) -> Path:
        """Claims on the episode and the work of claimants, in a run that several processes share."""
        return self.path.with_name(f".{self.path.name}.claims")

    def claim(self, number: int) -> Path:
        """Return the folder of one claim on the episode."""
        return self.claims / f"claim.{number}"

    def attempt(self, number: int) -> "EpisodeDirectory":
        """Return where the claimant with this number writes. The first one that is complete becomes the episode's own folder."""
        return EpisodeDirectory(self.claims / f"work.{number}")

    def patch(self, stem: str) -> Path:
        """Return the path of one member's patch; see `member_stem`."""
        return self.path / f"{stem}.patch"

    def trajectory(self, stem: str) -> Path:
        """Return the path of one member's history."""
        return self.path / f"{stem}_traj.json"


def member_stem(setting: Setting, features: tuple[int, ...]) -> str:
    """Return the file name stem of a member: the setting of an agent that works alone, else `agent` and the number of its first feature."""
    return setting.value if setting.alone else f"agent{features[0]}"


@dataclass(frozen=True)
class RunDirectory:
    """`<log_dir>/<run>/`."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def config(self) -> Path:
        """The configuration of the run."""
        return self.path / "config.json"

    @property
    def summary(self) -> Path:
        """Whole-run numbers."""
        return self.path / "summary.json"

    @property
    def lock(self) -> Path:
        """Held by the process that works on the run."""
        return self.path / ".lock"

    @property
    def ledger(self) -> Path:
        """US dollars of each model call, one per line, discarded attempts included."""
        return self.path / "costs.txt"

    def ledger_of(self, claimant: str) -> Path:
        """Return the ledger of one claimant: appending to one file is not atomic between machines."""
        return self.path / f"costs.{claimant}.txt"

    @property
    def job(self) -> Path:
        """The scheduler's job that works on the run."""
        return self.path / "slurm" / "job.json"

    @property
    def pauses(self) -> Path:
        """When providers that refused for now may be asked again, shared by all members."""
        return self.path / ".pauses"

    @property
    def labels(self) -> Path:
        """Labels of readers and judge models, one JSON object on each line."""
        return self.path / "labels.jsonl"

    def episode(self, setting: Setting, group: GroupKey) -> EpisodeDirectory:
        """Return the directory of one episode."""
        return EpisodeDirectory(self.path.joinpath(setting.value, group.repo, str(group.task_id), group.folder))
