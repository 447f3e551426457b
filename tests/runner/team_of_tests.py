"""Agents that the tests of the runner name as an external module."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cooperbench.agents import AgentResult
from cooperbench.agents.pauses import SharedPauses
from cooperbench.agents.registry import register
from cooperbench.collaboration import MessagingConnector
from cooperbench.environments import attach, open_environment


@register("writes")
class Writes:
    """Writes a file, waits if it is told to, and returns the patch as the documented example does: stripped."""

    def run(
        self, task: str, image: str, *, agent_id: str = "agent", config: dict[str, Any] | None = None, **_: Any
    ) -> AgentResult:
        config = config or {}
        env = open_environment("docker", image)
        env.execute(f"printf 'work of {agent_id}\\n' > {agent_id}.txt")
        env.execute(f"sleep {config.get('pause', 0)}")
        patch = env.execute("git add -A && git diff --cached HEAD")["output"].strip() if config.get("returns") else ""
        if config.get("cleans", True):
            env.cleanup()
        return AgentResult(status="Submitted", patch=patch, cost=0.25, steps=1, messages=[{"role": "assistant"}])


@register("hands_over")
class HandsOver:
    """The first member hands over and ends; the second one writes down what it is told about that."""

    def run(self, task: str, image: str, *, agent_id: str = "agent", **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        if agent_id == "agent1":
            env.execute("echo mine > mine.txt; coop submit -m 'Add my part'")
        else:
            env.execute(
                "{ coop recv --wait 60; coop team; git fetch; git log --oneline -1 origin/agent1; } > told.txt 2>&1"
            )
        env.cleanup()
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=1, messages=[])


@register("shares_tasks")
class SharesTasks:
    """The lead puts a task on the board, everybody claims it, and all write down how that went."""

    def run(self, task: str, image: str, *, agent_id: str = "agent", **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        env.write_file(f"/workspace/repo/{agent_id}.prompt", task.encode())
        begin = "coop task add 'rename it' && coop broadcast go" if agent_id == "agent1" else "coop recv --wait 60"
        env.execute(f"{begin}; coop task claim 1 > {agent_id}.claim 2>&1")
        env.cleanup()
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=1, messages=[])


@register("plays_its_part")
class PlaysItsPart:
    """Does a feature of `parts.py` and tells its teammate. Some conflict on purpose, one is wrong: verdicts of all kinds."""

    def run(self, task: str, image: str, **_: Any) -> AgentResult:
        found = re.search(r"# Part (\d+)", task)
        assert found is not None
        number = int(found.group(1))
        env = open_environment("docker", image)
        env.write_file(f"/workspace/repo/part{number}.py", f"NUMBER = {0 if number == 5 else number}\n".encode())
        if number % 3 == 0:
            env.execute(f"echo 'by part {number}' >title.txt")
        env.execute(f"git add -A; git commit -qm 'Part {number}'; git push -q; coop broadcast 'part {number} is done'")
        env.cleanup()
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=1, messages=[])


@register("keeps_working")
class KeepsWorking:
    """Does a feature of `parts.py`; the first time it says so through a pipe and goes on until `back` exists."""

    def run(
        self, task: str, image: str, *, agent_id: str = "agent", comm_url: str | None = None, **_: Any
    ) -> AgentResult:
        found = re.search(r"# Part (\d+)", task)
        assert found is not None
        env = open_environment("docker", image)
        env.write_file(f"/workspace/repo/part{found.group(1)}.py", f"NUMBER = {found.group(1)}\n".encode())
        if Path("go").exists():
            with Path("go").open("w") as gate:
                gate.write("working\n")
            while not Path("back").exists():
                env.execute("coop inbox; sleep 0.2" if comm_url else "sleep 0.2")
        if comm_url and agent_id == "agent2":
            env.execute("coop send agent1 hello")
        env.cleanup()
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=1, messages=[])


@register("hangs")
class Hangs:
    """Writes a file and never comes back, deaf to what Python can be told."""

    def run(self, task: str, image: str, **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        env.execute("echo half > half.txt")
        while True:
            try:
                time.sleep(1000)
            except BaseException:
                continue


@register("dies")
class Dies:
    """Writes a file and takes its process down."""

    def run(self, task: str, image: str, **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        env.execute("echo half > half.txt")
        os._exit(0)


@register("waits")
class Waits:
    """Writes a file, says so through a pipe if there is one, and then waits until it is ended."""

    def run(self, task: str, image: str, *, agent_id: str = "agent", **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        env.execute(f"echo work > {agent_id}.txt")
        gate = Path("go")
        if gate.exists():
            gate.write_text(f"{agent_id}\n")
            time.sleep(1000)
        env.cleanup()
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])


@register("waits_inside")
class WaitsInside:
    """Like `waits`, but waits for a command in its sandbox, and takes the end of that for the end of its work."""

    def run(self, task: str, image: str, *, agent_id: str = "agent", **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        env.execute(f"echo work > {agent_id}.txt")
        Path("go").write_text(f"{agent_id}\n")
        ended = env.execute("exec sleep 1000", timeout=1000)
        return AgentResult(
            status="Submitted" if ended["returncode"] else "Error", patch="", cost=0.0, steps=0, messages=[]
        )


@register("deaf")
class Deaf:
    """Like `waits`, but does not come to an end when it is asked to."""

    def run(self, task: str, image: str, *, agent_id: str = "agent", **_: Any) -> AgentResult:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path("go").write_text(f"{agent_id}\n")
        time.sleep(1000)
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])


@register("is_killed_once")
class IsKilledOnce:
    """Is killed by -9 the first time, as somebody on the host may do it, and does its work the second time."""

    def run(self, task: str, image: str, *, agent_id: str = "agent", **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        env.execute(f"echo work > {agent_id}.txt")
        if not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        env.cleanup()
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])


@register("loses_its_sandbox")
class LosesItsSandbox:
    """Has its sandbox ended from outside, and swallows every error."""

    def run(self, task: str, image: str, **_: Any) -> AgentResult:
        env = open_environment("docker", image)
        attach(env.handle()).cleanup()
        with contextlib.suppress(Exception):
            env.execute("true")
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])


@register("kills_the_broker")
class KillsTheBroker:
    """One member kills the broker's process and then writes; the other waits for the message."""

    def run(self, task: str, image: str, *, agent_id: str, agents: list[str], comm_url: str, **_: Any) -> AgentResult:
        with MessagingConnector(agent_id, agents, comm_url) as mailbox:
            if agent_id == "agent1":
                os.kill(server_on(urlsplit(comm_url).port), signal.SIGKILL)
                mailbox.send("agent2", "still there?")
            else:
                assert mailbox.wait(from_="agent1", timeout=60)
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])


def server_on(port: int | None) -> int:
    """The process of the Redis that listens on a port; it has it in its title."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            if re.match(rb"\S*(redis|valkey)-server .*:%d\b" % (port or 0), path.read_bytes()):
                return int(path.parent.name)
    raise LookupError(f"no server listens on port {port}")


@register("waits_for_verdict")
class WaitsForVerdict:
    """Writes a file. When another episode has ended already, its verdict must come while this one works."""

    def run(
        self, task: str, image: str, *, agent_id: str, config: dict[str, Any] | None = None, **_: Any
    ) -> AgentResult:
        logs = Path((config or {})["logs"])
        with open_environment("docker", image) as env:
            env.execute(f"echo work > {agent_id}.txt")
            deadline = time.monotonic() + 120
            while list(logs.rglob("result.json")) and not list(logs.rglob("eval.json")):
                if time.monotonic() > deadline:
                    raise TimeoutError("no verdict of the other episode")
                time.sleep(0.05)
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])


@register("names_its_owner")
class NamesItsOwner:
    """Returns the owner of its sandbox as its status."""

    def run(self, task: str, image: str, **_: Any) -> AgentResult:
        with open_environment("local", image) as env:
            owner = env.handle().labels.owner
        return AgentResult(status=owner, patch="", cost=0.0, steps=1, messages=[])


@register("is_refused")
class IsRefused:
    """Tells the others that its provider wants a pause of a minute, and does nothing."""

    def run(self, task: str, image: str, **_: Any) -> AgentResult:
        SharedPauses().extend("the tests' provider", 60.0)
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=1, messages=[])
