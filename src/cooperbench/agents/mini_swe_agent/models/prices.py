"""Prices of models that LiteLLM does not know, or knows wrongly: a file that users extend."""

from pathlib import Path

import yaml
from pydantic import Field, RootModel, ValidationError

from cooperbench.errors import UsageError
from cooperbench.records import Record, Usage


class Price(Record):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(
        None, ge=0, description="Input read from the provider's cache; as `input` if not given."
    )

    def cost(self, usage: Usage) -> float | None:
        """US dollars for one call; `None` when the provider did not count tokens."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = usage.input_tokens - cached
        return (fresh * self.input + cached * cached_price + usage.output_tokens * self.output) / 1_000_000


class PriceTable(RootModel[dict[str, Price]]):
    """Prices by the name of the model."""

    def find(self, model_name: str) -> Price | None:
        """The price of a model: by its full name, or by the part after the provider."""
        return self.root.get(model_name) or self.root.get(model_name.partition("/")[2])


def load_prices(path: Path | None) -> PriceTable:
    """Read a YAML or JSON file such as `{my-model: {input: 0.5, output: 1.5}}`. Raises `UsageError`."""
    if path is None:
        return PriceTable({})
    try:
        return PriceTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise UsageError(f"the price table {path} cannot be read: {error.strerror}", subject=str(path)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"the price table {path} is not YAML: {error}", subject=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"the price table {path} is wrong at {'.'.join(map(str, first['loc']))}: {first['msg']}",
            subject=str(path),
            hint="one entry looks like `my-model: {input: 0.5, output: 1.5, cached_input: 0.05}`, in US dollars per million tokens",
        ) from error
