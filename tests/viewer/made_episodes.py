"""Episodes of any size and with any text, made through the writers of the record."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cooperbench.records import (
    ConversationMessage,
    Ending,
    Event,
    Trajectory,
    TrajectoryMessage,
    write_bytes,
    write_model,
)
from cooperbench.records.conversation import Conversation
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_run
from tests.analysis.recorded import BEGUN, CONFLICT, FAILED, PASSED, Recorded, record_run

COMMANDS = (
    "cat src/shelf/store.py",
    "python -m pytest -q tests",
    "cat > src/shelf/cli.py <<'EOF'\nprint(1)\nEOF",
    "git fetch -q origin && git merge origin/agent1",
    "ls -la && grep -rn find src",
)


def made_run(
    logs: Path,
    name: str,
    *,
    members: int = 2,
    steps: int = 20,
    messages: int = 6,
    text: str = "all 12 tests pass\n",
    failing: bool = False,
    conflict: bool = False,
) -> RunResult:
    """Write a run with one episode. Each step takes 2 to 20 seconds of the model, and some of its command."""
    features = tuple(range(1, members + 1))
    outcomes = tuple(CONFLICT if conflict else FAILED if failing and n == members else PASSED for n in features)
    chance = random.Random(f"{name} {members} {steps}")
    histories = {f"agent{n}": _History(f"agent{n}", steps, text, chance) for n in features}
    events = sorted((event for each in histories.values() for event in each.events), key=lambda event: event.time)
    moments = [event.time for event in events if event.kind == "tool.result"]
    talk = _conversation(messages, members, moments, text, chance)
    numbered = tuple(event.model_copy(update={"sequence": number}) for number, event in enumerate(events))
    episode = Recorded(
        features=features,
        outcomes=outcomes,
        alone=tuple(PASSED for _ in features),
        union=tuple(PASSED for _ in features),
        conflicts=("src/shelf/cli.py",) if conflict else (),
        endings=tuple(_ending(n) for n in features),
        patches=tuple(_patch(n) for n in features),
        messages=tuple((each.sender, each.to, each.message) for each in talk),
        events=numbered,
    )
    run = record_run(logs, name, [episode])
    files = run.episodes[0].files
    write_model(files.conversation, Conversation(talk))
    for number, history in zip(features, histories.values(), strict=True):
        write_model(files.trajectory(f"agent{number}"), history.trajectory(number))
    last = max(moments, default=BEGUN) + timedelta(seconds=5)
    result = json.loads(files.result.read_bytes())
    result["titles"] = {str(feature): f"Shelf number {feature}" for feature in features}
    for value in (result, *result["agents"].values()):
        value["ended_at"] = last.isoformat()
    write_bytes(files.result, json.dumps(result).encode())
    evaluation = json.loads(files.evaluation.read_bytes())
    write_bytes(files.evaluation, json.dumps(_tested(evaluation, last)).encode())
    return read_run(name, logs)


def _ending(number: int) -> Ending:
    return Ending.LIMIT if number == 4 else Ending.SUBMITTED


def _tested(evaluation: dict[str, Any], last: datetime) -> dict[str, Any]:
    """Give an evaluation the times of its stages and suites, and suites of 24 tests."""

    def at(seconds: float) -> str:
        return (last + timedelta(seconds=seconds)).isoformat()

    for stage in evaluation["stages"]:
        stage |= {"started_at": at(1), "ended_at": at(2)}
        for number, suite in enumerate(stage["suites"]):
            suite |= {"started_at": at(6 + number), "ended_at": at(18 + 3 * number), "seconds": 12.0 + 2 * number}
            suite["tests"] += [{"name": f"tests/test_shelf.py::test_{n}", "status": "passed"} for n in range(23)]
    return {**evaluation, "evaluated_at": at(30), "seconds": 29.0}


def _patch(number: int) -> bytes:
    """Change the same line of one file, and a file of the member's own."""
    shared = "diff --git a/src/shelf/cli.py b/src/shelf/cli.py\n--- a/src/shelf/cli.py\n+++ b/src/shelf/cli.py\n"
    own = f"diff --git a/src/own{number}.py b/src/own{number}.py\nnew file mode 100644\n--- /dev/null\n+++ b/src/own{number}.py\n"
    hunk = f"@@ -10,3 +10,4 @@ def main():\n a = 1\n-b = 2\n+b = {number}\n+c = {number}\n d = 4\n"
    return (shared + hunk + own + f"@@ -0,0 +1 @@\n+x = {number}\n").encode()


class _History:
    """What one member did, as trajectory and as events."""

    def __init__(self, agent_id: str, steps: int, text: str, chance: random.Random) -> None:
        self.agent_id = agent_id
        self.messages: list[TrajectoryMessage] = []
        self.events: list[Event] = []
        ready = BEGUN + timedelta(seconds=chance.uniform(1, 4))
        self._note(BEGUN, "member.started", {"agent": "scripted"})
        self._note(ready, "member.ready", {"isolation": "docker"}, BEGUN)
        for role in ("system", "user"):
            self.messages.append(
                TrajectoryMessage(time=ready, message={"role": role, "content": f"The {role} prompt."})
            )
        now = ready
        for number in range(steps):
            now = self._step(number, now, text, chance)

    def _note(self, time: datetime, kind: str, data: dict[str, object], began: datetime | None = None) -> None:
        self.events.append(Event(sequence=0, time=time, started_at=began, kind=kind, agent_id=self.agent_id, data=data))

    def _step(self, number: int, now: datetime, text: str, chance: random.Random) -> datetime:
        answered = now + timedelta(seconds=chance.uniform(2, 20))
        done = answered + timedelta(seconds=chance.choice((0.05, 0.4, 3, 12)))
        command = COMMANDS[chance.randrange(len(COMMANDS))] + f" # {number}"
        code = 1 if chance.random() < 0.08 else 0
        usage = {"cost": 0.01, "input_tokens": 4000 + number, "output_tokens": 300, "cached_tokens": 0}
        index = len(self.messages)
        call = {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "bash", "arguments": json.dumps({"command": command})},
        }
        self.messages += [
            TrajectoryMessage(time=answered, message={"role": "assistant", "content": f"Step {number}: {text[:300]}", "tool_calls": [call]}),
            TrajectoryMessage(time=done, message={"role": "tool", "tool_call_id": f"call_{number}", "content": text, "extra": {"returncode": code}}),
        ]  # fmt: skip
        self._note(answered, "model.call", {"index": index, "usage": usage}, now)
        result = {"index": index + 1, "tool": "bash", "command": command[:200], "exit_code": code}
        self._note(done, "tool.result", result, answered)
        if command.startswith("git fetch"):
            ref = {"ref": "refs/heads/agent1", "new": "0123456789abcdef", "subject": "Add a shelf"}
            self._note(done, chance.choice(("git.push", "git.fetch")), {"refs": [ref]})
        return done

    def trajectory(self, feature: int) -> Trajectory:
        return Trajectory(
            agent_id=self.agent_id,
            agent="scripted",
            model="a-model",
            features=(feature,),
            status="Submitted",
            steps=len(self.messages) // 2,
            messages=tuple(self.messages),
        )


def _conversation(
    count: int, members: int, moments: Sequence[datetime], text: str, chance: random.Random
) -> tuple[ConversationMessage, ...]:
    """Messages at random moments: most are read, every fifth never, every seventh is refused."""

    def all_of_them() -> Iterator[ConversationMessage]:
        chosen = sorted(chance.sample(moments, min(count, len(moments))))
        for number, sent in enumerate(chosen):
            sender, to = chance.sample(range(1, members + 1), 2)
            read = None if number % 5 == 4 or number % 7 == 6 else sent + timedelta(seconds=chance.uniform(0.1, 30))
            yield ConversationMessage(
                sender=f"agent{sender}",
                to=f"agent{to}",
                message=f"I change cli.py now. {text[:400]}",
                timestamp=sent,
                sequence=number,
                id=f"m{number}",
                read_at=read,
                delivered=number % 7 != 6,
                refused="agent has finished" if number % 7 == 6 else None,
            )

    return tuple(all_of_them()) if members > 1 else ()
