"""The examples, each run as a user runs it: by the command line, in a real run, with a model behind real HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cooperbench.agents.mini_swe_agent.models.litellm_model import load_litellm
from tests.agents.standin_llm import Answer, StandIn, says, serve
from tests.command_line import cooperbench

pytestmark = pytest.mark.needs("sandbox")

EXAMPLES = Path(__file__).parents[2] / "examples"
TASK = ("-s", "demo", "-r", "ledgerkit_task", "-f", "4,5", "--no-auto-eval", "--json")
WRITE = "printf 'new\\n' > new.txt; printf 'more\\n' >> README.md"


class User:
    """Types commands in a folder of its own, with the examples on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, module: str, *arguments: str, server: StandIn | None = None) -> dict[str, Any]:
        """One run with the agents of one example; what its only episode's `result.json` says."""
        env = {"COOPERBENCH_EXTERNAL_AGENTS": module, **self.model_server(server)}
        said = cooperbench("run", "-n", "try", "--log-dir", "logs", *arguments, cwd=self.folder, env=env)
        assert said.code == 0, said
        return self.result("try")

    def model_server(self, server: StandIn | None) -> dict[str, str]:
        return {"OPENAI_BASE_URL": server.url, "OPENAI_API_BASE": server.url} if server else {}

    def result(self, name: str) -> dict[str, Any]:
        [file] = (self.folder / "logs" / name).rglob("result.json")
        found = json.loads(file.read_text())
        assert isinstance(found, dict)
        return found

    def patch(self, agent: str) -> str:
        [file] = (self.folder / "logs").rglob(f"{agent}.patch")
        return file.read_bytes().decode()


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")
    return User(tmp_path)


def cost_of(calls: int) -> float:
    """What LiteLLM takes for that many calls of gpt-4o with 1000 tokens in and 100 out."""
    price = load_litellm().model_cost["gpt-4o"]
    return float(calls * (1000 * price["input_cost_per_token"] + 100 * price["output_cost_per_token"]))


def members(result: dict[str, Any]) -> dict[str, Any]:
    assert result["status"] == "completed", result
    found = result["agents"]
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
def test_the_minimal_agent_runs_and_its_work_is_captured(user: User) -> None:
    result = user.run("minimal_agent", "--agent", "simple_agent", *TASK)
    for member in members(result).values():
        assert (member["status"], member["usage"]["cost"], member["steps"]) == ("Submitted", 0.0, 1)
        # `git diff` does not see new files; the harness does.
        assert member["submission"]["source"] == "captured"
    assert "+# TODO" in user.patch("agent4")


@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_the_llm_agent_runs_against_a_server_and_its_cost_is_exact(user: User) -> None:
    expected = cost_of(2)
    answers = [says(f"I write.\n```bash\n{WRITE}\n```"), says("That is all. DONE")]
    with serve(*answers) as server:
        result = user.run(
            "llm_agent",
            *("--agent", "llm_agent", "-m", "gpt-4o", "--setting", "solo"),
            *("--agent-config", str(EXAMPLES / "config" / "my_agent.yaml"), "--backend", "local", *TASK),
            server=server,
        )
    [member] = members(result).values()
    assert (member["status"], member["steps"]) == ("Submitted", 2)
    assert member["usage"]["cost"] == pytest.approx(expected, rel=1e-12)
    assert result["total_cost"] == pytest.approx(expected, rel=1e-12)
    assert member["submission"]["source"] == "agent"
    assert "+more" in user.patch("solo")
    assert server.requests[0]["temperature"] == 0.2
    assert server.requests[0]["messages"][0]["content"] == "You are a software engineer..."


@pytest.mark.slow
def test_the_team_agent_talks_and_merges(user: User) -> None:
    result = user.run("team_agent", "--agent", "team_agent", "--git", *TASK)
    assert [member["messages_sent"] for member in members(result).values()] == [1, 1]
    [file] = user.folder.rglob("conversation.json")
    texts = {(message["from"], message["to"], message["message"]) for message in json.loads(file.read_text())}
    assert ("agent1", "agent2", "I have added note-agent1.txt") in texts
    assert ("agent2", "agent1", "I have added note-agent2.txt") in texts
    assert "note-agent2.txt" in user.patch("agent4"), "the teammate's branch was fetched and merged"


@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_the_complete_example_runs_against_a_server(user: User) -> None:
    answers = [says("I write.", ("bash", {"command": WRITE})), says(None, ("submit", {}))]
    with serve(*answers) as server:
        result = user.run(
            "complete_agent", *("--agent", "complete_agent", "-m", "gpt-4o", "--setting", "solo"), *TASK, server=server
        )
    [member] = members(result).values()
    assert (member["status"], member["steps"]) == ("Submitted", 2)
    assert member["usage"]["cost"] == pytest.approx(cost_of(2), rel=1e-12)


def test_the_short_agent_runs_behind_any_server_without_litellm(user: User) -> None:
    (user.folder / "prices.yaml").write_text("my-model: {input: 1.0, output: 2.0}\n")
    answers: list[Answer] = [says("I write.", ("bash", {"command": WRITE})), says(None, ("submit", {}))]
    with serve(*answers) as server:
        result = user.run(
            "short_agent",
            *("--agent", "short_agent", "-m", "my-model", "--base-url", server.url, "--price-table", "prices.yaml"),
            *("--setting", "solo", *TASK),
        )
    [member] = members(result).values()
    assert member["usage"] == {"cost": 0.0024, "input_tokens": 2000, "output_tokens": 200, "cached_tokens": 0}
    assert "new.txt" in user.patch("solo")


@pytest.mark.slow
def test_a_run_can_be_started_from_python(user: User) -> None:
    script = (EXAMPLES / "from_python.py").read_text()
    # One episode is enough to see that it works, and its verdict is not the question.
    script = script.replace('subset="demo",', 'subset="demo", repo="shelfdb_task", features=(4, 5), auto_eval=False,')
    (user.folder / "start.py").write_text(script)
    with serve(says(None, ("submit", {}))) as server:
        done = subprocess.run(
            [sys.executable, "start.py"],
            cwd=user.folder,
            env={**os.environ, **user.model_server(server)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    result = user.result("my-experiment")
    assert [member["steps"] for member in members(result).values()] == [1, 1]
    assert server.requests[0]["temperature"] == 0.2
