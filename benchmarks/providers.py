"""Print what comes of each odd answer of a provider, through both ways to call a model.

    python -m benchmarks.providers [part of a name]

The answers are those of `tests/agents/odd_answers.yaml`, sent by a stand-in over HTTP: the table is what users get, the test says whether it
is right. Through LiteLLM with events, and without them.
"""

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from cooperbench.agents.mini_swe_agent.models import LitellmModel, make_model
from cooperbench.agents.mini_swe_agent.tools import BASH, SUBMIT, read_tool_calls
from cooperbench.errors import ModelContextWindowError, ModelError
from tests.agents.standin_llm import Answer, serve

ROWS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "tests" / "agents" / "odd_answers.yaml").read_text()
)
TASK = [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Do it."}]
ROUTES = ("built-in client", "LiteLLM", "LiteLLM, no events")


def main() -> None:
    """Print the table, and how many answers come out alike."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    os.environ.setdefault("OPENAI_API_KEY", "key-of-the-stand-in")
    print(f"| answer | {' | '.join(ROUTES)} |\n|---|---|---|---|")
    alike = total = 0
    for row in ROWS:
        if wanted.lower() not in str(row["name"]).lower():
            continue
        came = [outcome(row, route) for route in ROUTES]
        total += 1
        alike += came[0] == came[1]
        shown = [came[0], *("the same" if one == came[0] else one for one in came[1:])]
        print(f"| {row['name']} | {' | '.join(shown)} |", flush=True)
    print(f"\n{total} answers; {alike} come out alike through the built-in client and LiteLLM")


def outcome(row: dict[str, Any], route: str) -> str:
    """Ask once, and say what comes of it."""
    with serve(Answer(row["body"], row.get("status", 200))) as server:
        settings: dict[str, Any] = {"base_url": server.url, "retries": 0, "timeout": 20, "stream": route != ROUTES[2]}
        model = make_model("odd", {"model": settings}) if route == ROUTES[0] else LitellmModel("openai/odd", **settings)
        try:
            message = model.query(TASK, tools=(BASH, SUBMIT))
        except ModelError as error:
            return failure(error)
    calls = [
        f"{call.name}{'' if call.error is None else ' (unreadable)'}"
        for call in read_tool_calls(message, (BASH, SUBMIT))
    ]
    said = [f"text of {len(message['content'])}"] if message["content"] else []
    return f"read: {', '.join([*said, *calls]) or 'nothing said'}"


def failure(error: ModelError) -> str:
    """Return the kind of an error, and what is done about it."""
    kind = type(error).__name__.removeprefix("Model").removesuffix("Error")
    if isinstance(error, ModelContextWindowError):
        return f"{kind}: shortened to {error.window or 'half'}"
    return f"{kind}: {'repeated' if error.retryable else 'ends at once'}"


if __name__ == "__main__":
    main()
