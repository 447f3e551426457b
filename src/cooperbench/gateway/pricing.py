"""US dollars of a call: by the user's price table, else as the provider says, else by LiteLLM's prices."""

import importlib.util
import logging
import threading

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.litellm_answers import litellm_cost
from cooperbench.agents.mini_swe_agent.models.litellm_model import load_litellm
from cooperbench.agents.mini_swe_agent.models.prices import load_prices
from cooperbench.gateway.dialects import TokenCounts
from cooperbench.records import Usage

logger = logging.getLogger(__name__)


class CallPrices:
    """Prices calls of a run's models. Those of LiteLLM take 4 s to import, which happens while the first answer is awaited."""

    def __init__(self, settings: ModelConfig) -> None:
        self._table = load_prices(settings.price_table)
        self._own_server = settings.base_url is not None
        self._unknown: set[str] = set()

    def prepare(self, *models: str) -> None:
        """Import LiteLLM in the background if one of the models has no price in the table."""
        if self._own_server or all(self._table.find(model) for model in models):
            return
        if importlib.util.find_spec("litellm") is not None:
            threading.Thread(target=load_litellm, name="prices", daemon=True).start()

    def usage(self, model: str, tokens: TokenCounts) -> Usage:
        """Return tokens and cost as records have them. A cost of `None` is unknown."""
        plain = Usage(input_tokens=tokens.input, output_tokens=tokens.output, cached_tokens=tokens.cached)
        return plain.model_copy(update={"cost": self._cost(model, tokens, plain)})

    def _cost(self, model: str, tokens: TokenCounts, usage: Usage) -> float | None:
        written = tokens.cache_written or 0
        if (price := self._table.find(model)) is not None:
            return price.cost(usage, cache_written=written)
        cost = tokens.cost
        if cost is None and not self._own_server and importlib.util.find_spec("litellm") is not None:
            cost = litellm_cost(load_litellm(), model, usage, cache_written=written)
        if cost is None and model not in self._unknown:
            self._unknown.add(model)
            logger.warning("the price of model %r is unknown, and so is its cost; add prices with --price-table", model)
        return cost
