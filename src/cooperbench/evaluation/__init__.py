"""Evaluation: clean and merge patches, run hidden tests, read their results, and give verdicts."""

from cooperbench.evaluation.bases import base_of, base_of_repository
from cooperbench.evaluation.endings import wait_for_endings
from cooperbench.evaluation.evaluator import evaluate_episode, evaluate_submissions, evaluation_key
from cooperbench.evaluation.gold import PairConflict, TaskStatistics, gold_conflicts, task_language, task_statistics
from cooperbench.evaluation.group_validation import GroupValidation, validate_groups
from cooperbench.evaluation.patches import make_submission, touched_paths
from cooperbench.evaluation.policies import POLICIES, Policy, apply_policy, check_policy, resolve_policy
from cooperbench.evaluation.resolver import Resolver
from cooperbench.evaluation.scoring import Scored, ScoreRequest, reward, score, score_many
from cooperbench.evaluation.settings import EvaluationSettings, read_choices
from cooperbench.evaluation.slots import TestSlots, ThreadSlots, processors
from cooperbench.evaluation.validation import FeatureValidation, TaskValidation, validate_task

__all__ = [
    "POLICIES",
    "EvaluationSettings",
    "FeatureValidation",
    "GroupValidation",
    "PairConflict",
    "Policy",
    "Resolver",
    "ScoreRequest",
    "Scored",
    "TaskStatistics",
    "TaskValidation",
    "TestSlots",
    "ThreadSlots",
    "apply_policy",
    "base_of",
    "base_of_repository",
    "check_policy",
    "evaluate_episode",
    "evaluate_submissions",
    "evaluation_key",
    "gold_conflicts",
    "make_submission",
    "processors",
    "read_choices",
    "resolve_policy",
    "reward",
    "score",
    "score_many",
    "task_language",
    "task_statistics",
    "touched_paths",
    "validate_groups",
    "validate_task",
    "wait_for_endings",
]
