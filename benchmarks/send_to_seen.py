"""How long a message takes from `coop send` to the first model call that holds it, for each real program, while it works.

    python benchmarks/send_to_seen.py [claude_code codex ...]      all that are built in, by default

The programs have to be installed: cooperbench agents install claude_code. (OpenHands needs images with Python 3.12, which the bundled
tasks do not have.) Two of the same work as a pair, in local sandboxes without a network;
each runs commands of one second and writes to the other in the third. Nobody runs `coop recv`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from crowd import Model

from cooperbench.agents.command_line.catalogue import built_in_files
from cooperbench.environments.layers import installed
from cooperbench.gateway import loopback_listener, read_recording
from cooperbench.runner import read_run

MARK = "MARK of "
TELL = f"coop team | sed -n 's/^you are /{MARK}/p' | coop broadcast -"
COMMANDS = tuple(TELL if number == 2 else f"sleep 1; echo {number}" for number in range(10))
"""All different: some programs stop a model that repeats itself."""


def play(name: str, place: Path) -> None:
    """Run a pair of the program."""
    (place / "prices.json").write_text('{"m": {"input": 1, "output": 1}}')
    pair = ("-s", "demo", "-r", "shelfdb", "-f", "1,2", "--no-auto-eval", "--backend", "local", "--log-dir", str(place))
    command = [sys.executable, "-m", "cooperbench.cli.main", "run", "-n", name, "-a", name, "-m", "m", *pair]
    with loopback_listener(Model(COMMANDS).handle) as address:
        command += ["--base-url", f"{address}/v1", "--price-table", str(place / "prices.json")]
        environment = {**os.environ, "OPENAI_API_KEY": "key-of-the-benchmark"}
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def seconds_until_seen(name: str, place: Path) -> list[str]:
    """Return the seconds for each message, or what became of it."""
    [episode] = read_run(name, place).episodes
    found = []
    for message in episode.conversation:
        [receiver] = [each for each in ("agent1", "agent2") if each == message.to]
        calls = read_recording(episode.directory / f"{receiver}_logs" / "model_calls.jsonl.gz")
        holds = (call for call in calls if f"{MARK}{message.sender}" in json.dumps(call.call.body))
        first = next(holds, None)
        found.append("never" if first is None else f"{(first.started_at - message.timestamp).total_seconds():.1f}")
    return found


def main() -> None:
    for name in sys.argv[1:] or sorted(built_in_files()):
        installed(name)
        with tempfile.TemporaryDirectory() as folder:
            play(name, Path(folder))
            seen = seconds_until_seen(name, Path(folder))
        print(f"{name:12} {', '.join(seen)}  at a load of {os.getloadavg()[0]:.0f}", flush=True)


if __name__ == "__main__":
    main()
