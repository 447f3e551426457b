"""How a run is evaluated this time: limits, what is tested, and the model that settles conflicts."""

from pydantic import Field, ValidationError

from cooperbench.errors import UsageError
from cooperbench.evaluation import TIME_LIMIT, Install, Resolver, Singles, check_policy
from cooperbench.records import Record


class ResolverOptions(Record):
    """The model of the resolver stage, called as the built-in agent calls its own, at temperature 0."""

    model: str
    base_url: str | None = None
    api_key_env: str | None = None


class EvaluationOptions(Record):
    """Choices of `eval` that reach the process which evaluates."""

    time_limit: float = Field(TIME_LIMIT, gt=0, description="Seconds for one suite, installation included.")
    recount: bool = False
    install: Install = "once"
    singles: Singles = "own"
    resolver: ResolverOptions | None = None

    @property
    def episode_time_limit(self) -> float:
        """Seconds after which an episode's evaluation is ended: far above what its suites take."""
        return max(3600.0, 10 * self.time_limit)

    def check(self, policy: str) -> str:
        """The full name of the policy. Raises `UsageError` for one that does not exist or that lacks its resolver."""
        return check_policy(policy, resolver=self.resolver is not None)


def evaluation_options(**choices: object) -> EvaluationOptions:
    """Read choices. Raises `UsageError` with the one that cannot be meant."""
    try:
        return EvaluationOptions.model_validate(choices)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{place}: {first['msg']}", subject=place) from error


def make_resolver(options: ResolverOptions) -> Resolver:
    """Give the evaluation a model to ask. Raises `UsageError` for settings that cannot be right."""
    from cooperbench.agents.mini_swe_agent.models import make_model  # only here: evaluating alone needs no models

    settings = {"temperature": 0.0, "base_url": options.base_url, "api_key_env": options.api_key_env}
    model = make_model(options.model, {"model": settings}, agent_id="resolver")

    def complete(prompt: str) -> str:
        return str(model.query([{"role": "user", "content": prompt}], tools=()).get("content") or "")

    return Resolver(f"{options.model}, temperature 0", complete)
