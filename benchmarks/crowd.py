"""Many real command-line programs at once: is each event recorded, is each call charged, what stays behind, how much memory.

    python benchmarks/crowd.py [pairs] [one,other]      10 pairs of claude_code and codex

The programs have to be installed: cooperbench agents install claude_code. They work in local sandboxes without a network. A model of our own
answers over HTTP in the dialect of each: it has every program edit, tell its teammate, wait, read messages and end, and it writes a bill.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from answering import answer_requests

from cooperbench.environments import Stream
from cooperbench.environments.layers import installed
from cooperbench.gateway import loopback_listener, read_recording
from cooperbench.gateway.dialects import DIALECTS, ModelCall
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.scripted import SHELL, shell_arguments
from cooperbench.gateway.written_answers import WrittenAnswer, WrittenCall, offered_tools, written_reply
from cooperbench.records import cache_dir
from cooperbench.runner import read_run

COMMANDS = (
    "printf 'x\\n' >> mine.txt; coop broadcast 'mine.txt is written'",
    "sleep 10; git status --short",
    "coop recv",
)
TOKENS = {"input": 20_000, "output": 300, "cached": 15_000}
PRICES = {"input": 2.0, "output": 10.0, "cached_input": 0.2}
COST = (5_000 * 2.0 + 15_000 * 0.2 + 300 * 10.0) / 1_000_000
"""US dollars of a call."""
THINKING = 0.5
"""Seconds."""
LOOKING = 2.0
"""Seconds between looks at the processes."""
IN_A_SANDBOX = "/opt/cooperbench/layers/"


@dataclass
class Model:
    """Answers by what a request shows of its conversation, so that any number of programs can share it."""

    commands: tuple[str, ...] = COMMANDS
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, stream: Stream) -> None:
        """Answer the requests of a connection."""
        answer_requests(stream, self.reply)

    def reply(self, call: ModelCall) -> ProviderReply:
        """Return the answer to a request after some thinking, and count it."""
        reply = written_reply(call, self.answer(call))
        time.sleep(THINKING)
        with self.lock:
            self.calls += 1
        return reply

    def answer(self, call: ModelCall) -> WrittenAnswer:
        """Return the next turn of a conversation. Requests for titles offer no shell."""
        shell = next((tool for tool in offered_tools(call) if SHELL.fullmatch(tool.name)), None)
        done = sum(message.get("role") == "tool" for message in DIALECTS[call.dialect].messages(call.body))
        if shell is None or done >= len(self.commands):
            return WrittenAnswer("The work is done.", (), **TOKENS)
        written = WrittenCall(f"call_{done}", shell.name, shell_arguments(shell, self.commands[done]), shell.namespace)
        return WrittenAnswer("Next.", (written,), **TOKENS)


@dataclass
class Watch:
    """Looks at the processes of a run."""

    cache: str
    seen: dict[int, psutil.Process] = field(default_factory=dict)
    peaks: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Most megabytes at one look, as the sums of resident and of proportional sizes. Forked workers share most of what is resident."""
    most: Counter[str] = field(default_factory=Counter)
    """Most processes at one look. Of ours most are small shells in the sandboxes."""

    def look(self, runner: int) -> None:
        """Add up what ours and the programs have now."""
        everything = {each.pid: each for each in psutil.process_iter(["ppid", "cmdline"])}
        sizes: dict[str, list[tuple[float, float]]] = {"ours": [], "programs": []}
        for process in everything.values():
            kind = self._kind(process, everything, runner)
            if kind is not None:
                self.seen.setdefault(process.pid, process)
                sizes[kind].append(_megabytes(process))
        for kind, each in sizes.items():
            total = (sum(resident for resident, _ in each), sum(proportional for _, proportional in each))
            self.peaks[kind] = max(self.peaks.get(kind, (0.0, 0.0)), total)
            self.most[kind] = max(self.most[kind], len(each))

    def _kind(self, process: psutil.Process, everything: dict[int, psutil.Process], runner: int) -> str | None:
        ours = program = False
        while True:
            words = " ".join(process.info["cmdline"] or ())
            here = process.pid == runner or self.cache in words
            program = program or (IN_A_SANDBOX in words and not here)
            ours = ours or here
            if process.info["ppid"] not in everything:
                break
            process = everything[process.info["ppid"]]
        return None if not ours else "programs" if program else "ours"

    def left(self) -> list[str]:
        """Return what still runs."""
        return [str(each) for each in self.seen.values() if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def _megabytes(process: psutil.Process) -> tuple[float, float]:
    try:
        full = process.memory_full_info()
    except psutil.Error:
        return 0.0, 0.0
    return full.rss / 2**20, full.pss / 2**20


def run(place: Path, address: str, pairs: int, names: str) -> tuple[Watch, float]:
    """Run the pairs, and watch them."""
    cache = place / "cache"
    cache.mkdir()
    (cache / "layers").symlink_to(cache_dir() / "layers")
    table = place / "prices.json"
    table.write_text(json.dumps({"m": PRICES}))
    team = ",".join(f"{name}:m" for name in names.split(","))
    command = [sys.executable, "-m", "cooperbench.cli.main", "run", "-n", "crowd", "-s", "demo", "-r", "shelfdb"]
    command += ["-f", "1,2", "-k", str(pairs), "-c", str(pairs), "--team", team, "--backend", "local"]
    command += ["--base-url", f"{address}/v1", "--price-table", str(table), "--no-auto-eval"]
    command += ["--log-dir", str(place / "logs")]
    environment = {**os.environ, "COOPERBENCH_CACHE_DIR": str(cache), "OPENAI_API_KEY": "key-of-the-benchmark"}
    watch, began = Watch(str(place)), time.monotonic()
    with subprocess.Popen(command, stdout=sys.stderr, env=environment) as runner:
        try:
            while runner.poll() is None:
                watch.look(runner.pid)
                time.sleep(LOOKING)
        except BaseException:
            runner.terminate()
            raise
    return watch, time.monotonic() - began


def recorded(logs: Path) -> Counter[str]:
    """Count what the run's records hold."""
    found: Counter[str] = Counter()
    for episode in read_run("crowd", logs).episodes:
        found[f"episodes {episode.result.status}" if episode.result else "episodes without a result"] += 1
        for member in episode.result.agents.values() if episode.result else ():
            found[f"members {member.ending}"] += 1
            found["dollars"] += member.cost or 0.0  # type: ignore[assignment]
    for path in logs.rglob("events.jsonl"):
        for line in path.read_text().splitlines():
            event: dict[str, Any] = json.loads(line)
            ran = event["kind"] == "tool.result" and any(
                command in json.dumps(event["data"]).replace("\\\\", "\\") for command in map(_plain, COMMANDS)
            )
            found["commands" if ran else event["kind"]] += 1
    for path in logs.rglob("model_calls.jsonl.gz"):
        found["recorded calls"] += sum(1 for _ in read_recording(path))
    return found


def _plain(command: str) -> str:
    """Return a piece of a command that looks the same however it is quoted."""
    return command.rpartition("; ")[2].partition(" '")[0]


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    names = sys.argv[2] if len(sys.argv) > 2 else "claude_code,codex"
    for name in names.split(","):
        installed(name)
    model = Model()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, loopback_listener(model.handle) as address:
        place = Path(folder)
        watch, seconds = run(place, address, pairs, names)
        found = recorded(place / "logs")
    members = 2 * pairs
    rows = [
        ("members that hand in", members, found["members submitted"]),
        ("calls of the model", model.calls, found["model.call"]),
        ("the same in the recordings", model.calls, found["recorded calls"]),
        ("commands", members * len(COMMANDS), found["commands"]),
        ("messages", members, found["message.sent"]),
        ("dollars", round(model.calls * COST, 6), round(found["dollars"], 6)),
        ("processes left", 0, len(watch.left())),
    ]
    print(f"{members} programs, {names}: {seconds:.0f} s at a load of {load:.0f} on {os.cpu_count()} processors")
    for what, expected, got in rows:
        print(f"{what:28} expected {expected:10}  recorded {got:10}  {'' if expected == got else 'DIFFERENT'}")
    for kind, (resident, proportional) in watch.peaks.items():
        print(
            f"{kind:10} {watch.most[kind]:4} processes, at most {resident:7.0f} MB resident, {proportional:7.0f} MB proportional"
        )


if __name__ == "__main__":
    main()
