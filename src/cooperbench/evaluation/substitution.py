"""Put the gold patch in the place of members, to see whose work a team failed by."""

from collections.abc import Sequence
from dataclasses import replace

from cooperbench.evaluation.evaluator import Patches, evaluate_submissions
from cooperbench.evaluation.patches import make_submission
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.records import AgentId, FeatureId, Outcome, Record
from cooperbench.tasks import Task


class Substitution(Record):
    """The verdict of a group in which only one member's work is its own, and all other features are gold patches."""

    agent_id: AgentId
    """The member whose work stayed."""
    outcome: Outcome
    failed: tuple[FeatureId, ...]


def substitute_gold(
    task: Task, features: Sequence[int], submissions: Patches, settings: EvaluationSettings
) -> tuple[Substitution, ...]:
    """Evaluate each member's work merged with gold patches in the place of all others'. One evaluation for each member."""
    choices = settings.choices.model_copy(update={"singles": "none"})
    plain = replace(settings, choices=choices)
    return tuple(_with_gold_teammates(task, features, submissions, own, plain) for own in range(len(submissions)))


def _with_gold_teammates(
    task: Task, features: Sequence[int], submissions: Patches, own: int, settings: EvaluationSettings
) -> Substitution:
    submission, patch = submissions[own]
    others = [feature for feature in features if feature not in submission.features]
    gold = [(feature, task.features[feature].gold_patch) for feature in others]
    # Each as a member of its own: two gold patches may touch the same lines, and then have to be merged, not joined.
    team = [(submission, patch), *((make_submission(f"gold{each}", (each,), text), text) for each, text in gold)]
    verdict = evaluate_submissions(task, features, team, settings).verdict
    failed = tuple(each.feature for each in verdict.features if each.outcome is not Outcome.PASSED)
    return Substitution(agent_id=submission.agent_id, outcome=verdict.outcome, failed=failed)
