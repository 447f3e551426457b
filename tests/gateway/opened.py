"""A gateway to the stand-in, opened as a run does it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cooperbench.agents import Budget
from cooperbench.gateway import ModelGateway, loopback_listener, open_gateway
from tests.gateway.standin_provider import PRICES, StandInProvider

KEY = "sk-real-key-of-the-host-000"


@contextmanager
def gateway(provider: StandInProvider, folder: Path, **settings: Any) -> Iterator[tuple[ModelGateway, Budget, str]]:
    """Open a gateway to the provider, as a run does. Yields also the address for programs."""
    table = folder / "prices.json"
    table.write_text(json.dumps({"m": PRICES}))
    budget = settings.pop("budget", None) or Budget()
    name, model = "m", {"api_key_env": "STANDIN_KEY", "price_table": str(table), "retry_wait": 0.01, **settings}
    if provider.speaks == ("anthropic",):
        name = "anthropic/m"
    else:
        model["base_url"] = provider.url.replace("/v1", "/v1beta") if provider.speaks == ("gemini",) else provider.url
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", provider.url)
        patch.setenv("STANDIN_KEY", KEY)
        opened = open_gateway(name, {"model": model}, log_dir=folder, budget=budget)
    with loopback_listener(opened.handle) as address:
        yield opened, budget, address
