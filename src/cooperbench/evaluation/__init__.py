"""Is it any good: patches, merging, running tests, reading results, verdicts."""

from cooperbench.evaluation.evaluator import (
    TIME_LIMIT,
    evaluate_contributions,
    evaluate_episode,
    evaluation_key,
    merged_patch_name,
)
from cooperbench.evaluation.policies import DEFAULT_POLICY, apply_policy, policy_names, resolve_policy
from cooperbench.evaluation.resolver import Resolver
from cooperbench.evaluation.scoring import Scored, ScoreRequest, reward, score, score_many
from cooperbench.evaluation.stages import Contribution, Singles
from cooperbench.evaluation.testbench import EVALUATOR, Install

__all__ = [
    "DEFAULT_POLICY",
    "EVALUATOR",
    "TIME_LIMIT",
    "Contribution",
    "Install",
    "Resolver",
    "ScoreRequest",
    "Scored",
    "Singles",
    "apply_policy",
    "evaluate_contributions",
    "evaluate_episode",
    "evaluation_key",
    "merged_patch_name",
    "policy_names",
    "resolve_policy",
    "reward",
    "score",
    "score_many",
]
