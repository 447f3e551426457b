import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cooperbench.records import Limits
from cooperbench.runner import EvaluationOptions
from cooperbench.tasks import Task
from cooperbench.training import Endpoint, close
from tests.agents.standin_llm import Answer, StandIn, fails, says, serve
from tests.needs import need
from tests.runner.parts import write_parts

KEY = "key-of-the-trainer-0123456789"
CHEAP: dict[str, Any] = {
    "backend": "local",
    "evaluation": EvaluationOptions(falsify="off", singles="all"),
    "limits": Limits(steps=5, wall_time=120),
}


class Policy:
    """Answers for all members: the name of the model says how it behaves."""

    def __init__(self) -> None:
        self.hanging = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, request: dict[str, Any]) -> Answer:
        found = re.search(r"# Part (\d+)", json.dumps(request["messages"]))
        assert found is not None
        work = f"echo 'NUMBER = {found.group(1)}' >part{found.group(1)}.py"
        model = request["model"]
        if model == "refuses":
            return fails(401, "no such key")
        if model == "hangs":
            self.hanging.set()
            self.let_go.wait(60)
        answered = any(message["role"] == "assistant" for message in request["messages"])
        if answered and model != "never-ends":
            return says("", ("submit", {}))
        command = {
            "idle": "true",
            "clashes": f"{work}; echo 'by {found.group(1)}' >title.txt",
            "wrong": "echo >wrong.py",
        }
        return says("", ("bash", {"command": command.get(model, work)}))


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Task:
    """A task of three features, each a file."""
    need("sandbox")
    return write_parts(tmp_path_factory.mktemp("training") / "data", 3)


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy()


@pytest.fixture(scope="session")
def server(policy: Policy) -> Iterator[StandIn]:
    """The trainer's endpoint, and with it the services of all rollouts here."""
    with serve(policy) as standing:
        yield standing
        policy.let_go.set()
        close()


@pytest.fixture
def team(server: StandIn) -> Any:
    """Makes endpoints for agent1, agent2, … by the behaviour of each."""

    def make(*models: str) -> dict[str, Endpoint]:
        return {
            f"agent{n + 1}": Endpoint(server.url, KEY, model, {"temperature": 1.0}) for n, model in enumerate(models)
        }

    return make
