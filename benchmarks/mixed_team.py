"""One mixed run of real programs on both bundled tasks, without a network: from an empty cache to verdicts, with conversation and cost.

    python benchmarks/mixed_team.py [folder]

In the folder, else in a temporary one, it installs Claude Code and Codex from the registry that npm is set up for (800 MB) and runs them as
a team. A stand-in provider answers over HTTP in the dialect of each, plays the bundled scripts, and writes a bill. Passes are proven with
broken tests, as by default.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from answering import answer_requests

from cooperbench.agents.mini_swe_agent.models.script_file import load_script
from cooperbench.agents.mini_swe_agent.models.select import script_path
from cooperbench.environments import Stream
from cooperbench.gateway import loopback_listener
from cooperbench.gateway.dialects import ModelCall, TokenCounts
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.scripted import ScriptedAnswers
from cooperbench.runner import read_run

TEAM = {"agent1": ("claude_code", "claude-opus-4-5"), "agent2": ("codex", "gpt-5.1")}
SCRIPTS = {"ledgerkit": "talks_and_passes", "shelfdb": "warns_and_passes"}
"""By a word that is in every request of an episode."""
FEATURES = "4,5"
PRICES = {
    "claude-opus-4-5": {"input": 5.0, "output": 25.0, "cached_input": 0.5},
    "gpt-5.1": {"input": 1.25, "output": 10.0, "cached_input": 0.125},
}
KEY = "key-of-the-benchmark"


class StandIn:
    """Plays each member's script of each task, and adds up what it would charge."""

    def __init__(self) -> None:
        self.bill: Counter[str] = Counter()
        """Billionths of a dollar, by model."""
        self.calls = 0
        self._lock = threading.Lock()
        self._answers = {
            (task, model): ScriptedAnswers(load_script(script_path(script)).turns(member))
            for task, script in SCRIPTS.items()
            for member, (_, model) in TEAM.items()
        }

    def handle(self, stream: Stream) -> None:
        """Answer the requests of a connection."""
        answer_requests(stream, self._answer, KEY)

    def _answer(self, call: ModelCall) -> ProviderReply:
        text = json.dumps(call.body)
        task = next(task for task in SCRIPTS if task in text)
        reply = self._answers[task, call.model].ask(call)
        with self._lock:
            self.calls += 1
            self.bill[call.model] += _charge(call.model, reply.counted() or TokenCounts())
        return reply


def _charge(model: str, used: TokenCounts) -> int:
    price = PRICES[model]
    fresh = (used.input or 0) - (used.cached or 0)
    charged = fresh * price["input"] + (used.cached or 0) * price["cached_input"] + (used.output or 0) * price["output"]
    return round(1000 * charged)


def typed(environment: dict[str, str], *words: str) -> float:
    """Run a command as a user types it, and return its seconds."""
    shown = " ".join(f'"{word}"' if "," in word and ":" in word else word for word in words)
    print(f"$ cooperbench {shown}", flush=True)
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "cooperbench.cli.main", *words], env=environment, check=True)
    seconds = time.monotonic() - began
    print(f"# {seconds:.1f} s\n", flush=True)
    return seconds


def play(place: Path, address: str) -> dict[str, float]:
    """Type the commands, from an empty cache to the conversation."""
    (place / "prices.json").write_text(json.dumps(PRICES))
    environment = {
        **os.environ,
        "COOPERBENCH_CACHE_DIR": str(place / "cache"),
        "COOPERBENCH_LOG_DIR": str(place / "logs"),
        "OPENAI_API_KEY": KEY,
    }
    team = ",".join(f"{agent}:{model}" for agent, model in TEAM.values())
    run = ["run", "-n", "mixed", "-s", "demo", "-f", FEATURES, "--git", "--team", team, "--network", "none"]
    run += ["--base-url", f"{address}/v1", "--price-table", str(place / "prices.json")]
    seconds = {agent: typed(environment, "agents", "install", agent) for agent, _ in TEAM.values()}
    typed(environment, "agents", "list")
    seconds["run and verdicts"] = typed(environment, *run)
    typed(environment, "report", "mixed", "--table", "rates", "--table", "cost", "--table", "messages")
    for task in SCRIPTS:
        typed(environment, "runs", "show", "mixed", f"{task}_task/1/f{FEATURES.replace(',', '_f')}")
    return seconds


def main() -> None:
    stand_in = StandIn()
    with tempfile.TemporaryDirectory() as folder, loopback_listener(stand_in.handle) as address:
        place = Path(sys.argv[1] if len(sys.argv) > 1 else folder).absolute()
        place.mkdir(parents=True, exist_ok=True)
        seconds = play(place, address)
        charged: Counter[str] = Counter()
        for episode in read_run("mixed", place / "logs").episodes:
            for member in episode.result.agents.values() if episode.result else ():
                charged[member.model] += round(1e9 * (member.cost or 0.0))
    print(f"{'model':20} {'bill':>12} {'recorded':>12}   of {stand_in.calls} calls")
    for model in PRICES:
        print(f"{model:20} ${stand_in.bill[model] / 1e9:11.6f} ${charged[model] / 1e9:11.6f}")
    print(", ".join(f"{what} {took:.0f} s" for what, took in seconds.items()), f"in all {sum(seconds.values()):.0f} s")


if __name__ == "__main__":
    main()
