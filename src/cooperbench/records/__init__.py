"""What happened: the run directory, its records and their schemas, atomic writes, readers."""

from cooperbench.records.base import AgentId, FeatureId, Record, first_error, utc_now
from cooperbench.records.conversation import ConversationMessage
from cooperbench.records.episode import EpisodeResult, EpisodeStatus, Failure, LimitReached, MemberResult, Usage
from cooperbench.records.events import Event
from cooperbench.records.falsification import BrokenTest, Falsification, FalsificationStatus, Falsify, Mismatch
from cooperbench.records.files import read_model, write_bytes, write_model
from cooperbench.records.image import ImageRecipe
from cooperbench.records.layout import EpisodeDirectory, RunDirectory, member_stem
from cooperbench.records.network import NetworkAccess
from cooperbench.records.paths import SCRATCH, cache_dir, default_log_dir, scratch_dir
from cooperbench.records.run import MAY_DIFFER, GroupKey, RunConfig, RunSummary, TaskRevision
from cooperbench.records.submission import Ending, PatchFinding, PatchSource, Submission
from cooperbench.records.team import Limits, Member, Role, Setting
from cooperbench.records.trajectory import Trajectory, TrajectoryMessage
from cooperbench.records.verdict import (
    TIME_LIMIT,
    Conflict,
    ConflictSides,
    DropAction,
    DroppedPath,
    DropRule,
    Evaluation,
    EvaluationChoices,
    FeatureVerdict,
    Install,
    Judged,
    MergeStep,
    Outcome,
    Singles,
    Stage,
    StageStatus,
    SuiteResult,
    TestCase,
    TestStatus,
    Verdict,
)

__all__ = [
    "MAY_DIFFER",
    "SCRATCH",
    "TIME_LIMIT",
    "AgentId",
    "BrokenTest",
    "Conflict",
    "ConflictSides",
    "ConversationMessage",
    "DropAction",
    "DropRule",
    "DroppedPath",
    "Ending",
    "EpisodeDirectory",
    "EpisodeResult",
    "EpisodeStatus",
    "Evaluation",
    "EvaluationChoices",
    "Event",
    "Failure",
    "Falsification",
    "FalsificationStatus",
    "Falsify",
    "FeatureId",
    "FeatureVerdict",
    "GroupKey",
    "ImageRecipe",
    "Install",
    "Judged",
    "LimitReached",
    "Limits",
    "Member",
    "MemberResult",
    "MergeStep",
    "Mismatch",
    "NetworkAccess",
    "Outcome",
    "PatchFinding",
    "PatchSource",
    "Record",
    "Role",
    "RunConfig",
    "RunDirectory",
    "RunSummary",
    "Setting",
    "Singles",
    "Stage",
    "StageStatus",
    "Submission",
    "SuiteResult",
    "TaskRevision",
    "TestCase",
    "TestStatus",
    "Trajectory",
    "TrajectoryMessage",
    "Usage",
    "Verdict",
    "cache_dir",
    "default_log_dir",
    "first_error",
    "member_stem",
    "read_model",
    "scratch_dir",
    "utc_now",
    "write_bytes",
    "write_model",
]
