"""What runs in the process of an evaluation."""

from cooperbench.agents.budget import Budget, activate_budget
from cooperbench.environments.contract import SandboxLabels
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.evaluation import EvaluationSettings, evaluate_episode
from cooperbench.records import EpisodeDirectory, EpisodeResult, read_model
from cooperbench.records.ledger import RunLedger
from cooperbench.runner.planning.evaluation_options import make_resolver
from cooperbench.runner.workers.orders import EvaluationOrder
from cooperbench.tasks import read_task


def judge(order: EvaluationOrder) -> None:
    """Evaluate one episode; `eval.json` is the result."""
    labels = SandboxLabels(run=order.run, episode=order.episode, agent_id="evaluation")
    directory = EpisodeDirectory(order.directory)
    result = read_model(directory.result, EpisodeResult)
    task = read_task(order.task_path, bundled=order.bundled)
    settings = EvaluationSettings(
        backend=order.backend,
        policy=order.policy,
        choices=order.options.choices,
        resolver=make_resolver(order.options.resolver) if order.options.resolver else None,
        turns=order.turns,
    )
    # What a resolver costs is the run's money too; the limit of the run is for agents, whose work would be lost without a verdict.
    budget = Budget(ledger=RunLedger(order.ledger) if order.ledger else None)
    with activate(EnvironmentScope(labels=labels, handles=order.handles)), activate_budget(budget):
        evaluate_episode(directory, result, task, settings, force=order.force)
