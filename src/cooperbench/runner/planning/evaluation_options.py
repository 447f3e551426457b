"""How a run is evaluated: limits, what is tested, and the model that settles conflicts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cooperbench.environments import Check
from cooperbench.evaluation import Resolver, check_policy
from cooperbench.records import EvaluationChoices, Falsify, Record
from cooperbench.runner.planning.request import DEFAULT_AGENT


class ResolverOptions(Record):
    """The model of the resolver stage, called as the built-in agent calls its own, at temperature 0."""

    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    price_table: Path | None = None


class EvaluationOptions(EvaluationChoices):
    """The choices of `eval`, which reach the evaluating process as they are.

    `falsify` is the run's own choice unless it is set here.
    """

    resolver: ResolverOptions | None = None
    policy: str | None = None
    """A policy to judge by besides the run's own."""

    @property
    def choices(self) -> EvaluationChoices:
        """All choices that the stages depend on. The resolver is named by its own stage."""
        return EvaluationChoices.model_validate(self.model_dump(exclude={"resolver", "policy"}))

    def falsify_or(self, of_the_run: Falsify) -> Falsify:
        """Return `falsify` if it was set, else the run's choice."""
        return self.falsify if "falsify" in self.model_fields_set else of_the_run

    @property
    def episode_time_limit(self) -> float:
        """Seconds after which an episode's evaluation is killed, far above what its suites take."""
        return max(7200.0, 20 * self.time_limit)

    def check(self, policy: str) -> str:
        """Return the full name of the policy. Raises `UsageError` if it does not exist or lacks its resolver."""
        return check_policy(policy, resolver=self.resolver is not None)


def resolver_checks(options: ResolverOptions) -> Iterator[Check]:
    """Yield what keeps the model that settles conflicts from being called. Raises `UsageError` as `make_resolver` does."""
    from cooperbench.agents.registry import checks_of

    make_resolver(options)
    yield from checks_of(DEFAULT_AGENT, options.model, _config(options))


def make_resolver(options: ResolverOptions) -> Resolver:
    """Make the model that settles conflicts. Raises `UsageError` for settings that cannot be right."""
    from cooperbench.agents.mini_swe_agent.models import make_model  # only here: evaluating alone needs no models

    model = make_model(options.model, _config(options), agent_id="resolver")

    def complete(prompt: str) -> str:
        return str(model.query([{"role": "user", "content": prompt}], tools=()).get("content") or "")

    return Resolver(f"{options.model}, temperature 0", complete)


def _config(options: ResolverOptions) -> dict[str, Any]:
    return {"model": {"temperature": 0.0, **options.model_dump(mode="json", exclude={"model"})}}
