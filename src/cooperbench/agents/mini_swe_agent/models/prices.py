"""The user's price table, for models whose price LiteLLM does not know, or gets wrong."""

from pathlib import Path

from pydantic import Field, RootModel

from cooperbench.agents.reading import read_yaml
from cooperbench.records import Record, Usage


class Price(Record):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(
        None, ge=0, description="Input read from the provider's cache; by default as `input`."
    )
    cache_write: float | None = Field(
        None, ge=0, description="Input written to the provider's cache, where it counts that; by default as `input`."
    )

    def cost(self, usage: Usage, *, cache_written: int = 0) -> float | None:
        """Return the US dollars of a call; `None` when the provider did not count its tokens."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        written = min(cache_written, usage.input_tokens - cached)
        written_price = self.input if self.cache_write is None else self.cache_write
        fresh = usage.input_tokens - cached - written
        read = fresh * self.input + cached * cached_price + written * written_price
        return (read + usage.output_tokens * self.output) / 1_000_000


class PriceTable(RootModel[dict[str, Price]]):
    """Prices by the name of the model."""

    def find(self, model_name: str) -> Price | None:
        """Return the price of a model, by its full name or by the part after the provider."""
        return self.root.get(model_name) or self.root.get(model_name.partition("/")[2])


def load_prices(path: Path | None) -> PriceTable:
    """Read a YAML or JSON file such as `{my-model: {input: 0.5, output: 1.5}}`. Raises `UsageError`."""
    if path is None:
        return PriceTable({})
    example = "my-model: {input: 0.5, output: 1.5, cached_input: 0.05}"
    return read_yaml("price table", PriceTable, path, hint=f"write `{example}`, in US dollars per million tokens")
