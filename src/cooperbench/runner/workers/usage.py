"""Compare the usage that an agent reports with what was counted while it worked."""

from pathlib import Path
from typing import Any

from cooperbench.agents.budget import Budget
from cooperbench.agents.metering import Pricer
from cooperbench.records import Usage
from cooperbench.records.member_files import AgentOutcome


def counted(outcome: AgentOutcome, budget: Budget) -> AgentOutcome:
    """Raise an outcome's usage to what was counted: an agent can know of more calls than were seen, not of fewer."""
    if budget.steps == 0:
        return outcome
    reported, seen = outcome.usage, budget.usage
    # When a call that was seen had no price, only the agent can know the whole cost, if it reports more than the others cost.
    unknown = reported.cost is None or (seen.cost is None and reported.cost <= budget.known_cost)
    usage = Usage(
        cost=None if unknown else max(reported.cost or 0.0, budget.known_cost),
        input_tokens=_more(reported.input_tokens, seen.input_tokens),
        output_tokens=_more(reported.output_tokens, seen.output_tokens),
        cached_tokens=_more(reported.cached_tokens, seen.cached_tokens),
    )
    return outcome.model_copy(update={"steps": max(outcome.steps, budget.steps), "usage": usage})


def pricer(config: dict[str, Any]) -> Pricer:
    """Make a pricer from the table that `--price-table` names for the agent's model; it is read when the first call has to be priced."""
    section = config.get("model")
    path = section.get("price_table") if isinstance(section, dict) else None

    def price(model: str, usage: Usage) -> float | None:
        if not isinstance(path, str):
            return None
        from cooperbench.agents.mini_swe_agent.models.prices import load_prices  # brings all models with it

        found = load_prices(Path(path)).find(model)
        return found.cost(usage) if found is not None else None

    return price


def _more(reported: int | None, seen: int | None) -> int | None:
    return max((count for count in (reported, seen) if count is not None), default=None)
