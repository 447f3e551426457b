"""What runs in the process of an evaluation."""

from cooperbench.agents.budget import Budget, activate_budget
from cooperbench.environments.contract import SandboxLabels
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.evaluation import EvaluationSettings, evaluate_episode, wait_for_endings
from cooperbench.records import EpisodeDirectory, EpisodeResult, read_model
from cooperbench.records.ledger import RunLedger
from cooperbench.runner.planning.evaluation_options import make_resolver
from cooperbench.runner.workers.specs import EvaluationSpec
from cooperbench.tasks import read_task


def run_evaluation(spec: EvaluationSpec) -> None:
    """Evaluate one episode; `eval.json` is the result."""
    labels = SandboxLabels(run=spec.run, episode=spec.episode, agent_id="evaluation")
    directory = EpisodeDirectory(spec.directory)
    result = read_model(directory.result, EpisodeResult)
    task = read_task(spec.task_path, bundled=spec.bundled)
    settings = EvaluationSettings(
        backend=spec.backend,
        policy=spec.options.policy or spec.policy,
        run_policy=spec.policy,
        choices=spec.options.choices,
        resolver=make_resolver(spec.options.resolver) if spec.options.resolver else None,
        slots=spec.slots,
    )
    # What a resolver costs is the run's money too; the limit of the run is for agents, whose work would be lost without a verdict.
    budget = Budget(ledger=RunLedger(spec.ledger) if spec.ledger else None)
    with activate(EnvironmentScope(labels=labels, handles=spec.handles)), activate_budget(budget):
        evaluate_episode(directory, result, task, settings, force=spec.force)
        wait_for_endings()
