"""Teams in the real `verifiers`: its environment server, interception and retries, with a scripted policy behind them."""

import asyncio
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cooperbench.environments import orphans
from cooperbench.errors import MissingExtraError
from cooperbench.tasks import Task
from tests.agents.standin_llm import StandIn
from tests.training.conftest import KEY, Policy

installed = find_spec("verifiers") is not None
needs_verifiers = pytest.mark.skipif(not installed, reason="the extra `verifiers` (334 MB) is not installed")
# Of that package and what it stands on.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.mark.skipif(installed, reason="verifiers is installed")
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match="verifiers"):
        __import__("cooperbench_verifiers")


def environment(parts: Task, tmp_path: Path, **more: Any) -> Any:
    from verifiers.v1.utils.loaders import load_environment, resolve_env_config

    given = {
        "taskset": {"id": "cooperbench-verifiers", "dataset_dir": str(parts.dataset_dir)},
        "backend": "local",
        "evaluation": {"falsify": "off", "singles": "all"},
        "limits": {"steps": 5, "wall_time": 120},
        "log_dir": str(tmp_path),
        **more,
    }
    return load_environment(resolve_env_config(given))


def context(server: StandIn, monkeypatch: pytest.MonkeyPatch, model: str = "works") -> Any:
    import verifiers.v1 as vf

    monkeypatch.setenv("TRAINER_KEY", KEY)
    client = vf.EvalClientConfig(base_url=server.url, api_key_var="TRAINER_KEY")
    return vf.ModelContext(model=model, client=client)


async def play(env: Any, ctx: Any, count: int) -> list[Any]:
    async with env.serving():
        slots = [slot for task in env.taskset.take(count) for slot in env.slots(task)]
        return list(await asyncio.gather(*(env.run_slot(slot, ctx) for slot in slots)))


@needs_verifiers
@pytest.mark.needs("sandbox")
def test_a_trace_for_each_member_with_rewards_by_name(
    parts: Task, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environment(parts, tmp_path, rewards={"all": 1.0, "difference": 0.5})
    first, other = asyncio.run(play(env, context(server, monkeypatch), 2))
    assert all(episode.ok for episode in (first, other)), [t.errors for each in (first, other) for t in each.traces]
    assert [tuple(episode.task.data.features) for episode in (first, other)] == [(1, 2), (1, 3)]
    assert sorted(trace.agent.name for trace in first.traces) == ["agent1", "agent2"]
    for trace in first.traces:
        assert trace.reward == 1.25
        assert {name: reward.score for name, reward in trace.rewards.items()} == {"all": 1.0, "difference": 0.5}
        assert trace.metrics == {"share": 1.0, "own": 1.0, "alone": 1.0, "conflict": 0.0}
        assert trace.info["cooperbench"]["outcome"] == "passed"
        assert (trace.num_turns, trace.usage.completion_tokens) == (2, 200)
        mine = trace.agent.name[-1]
        assert f"# Part {mine}" in trace.model_dump_json()
        assert f"NUMBER = {mine}" in trace.model_dump_json()


@needs_verifiers
@pytest.mark.needs("sandbox")
def test_a_failure_of_infrastructure_is_no_reward(
    parts: Task, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environment(parts, tmp_path, agent2={"model": "refuses"})
    [episode] = asyncio.run(play(env, context(server, monkeypatch), 1))
    assert not episode.ok
    assert all(not trace.ok and not trace.rewards for trace in episode.traces)
    assert {trace.last_error.type for trace in episode.traces} <= {"HarnessError", "ProviderError"}


@needs_verifiers
@pytest.mark.needs("sandbox")
def test_a_member_that_cannot_begin_lets_the_other_go(
    parts: Task, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environment(parts, tmp_path, agent2={"runtime": {"type": "docker", "image": "no/such:image"}})
    [episode] = asyncio.run(asyncio.wait_for(play(env, context(server, monkeypatch), 1), 60))
    assert not episode.ok
    assert any("agent2 ended before the episode began" in error.message for t in episode.traces for error in t.errors)


@needs_verifiers
@pytest.mark.needs("sandbox")
def test_a_deadline_ends_the_sandboxes(
    parts: Task, server: StandIn, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environment(parts, tmp_path, timeout={"episode": 10}, agent2={"model": "hangs"})
    [episode] = asyncio.run(play(env, context(server, monkeypatch), 1))
    assert episode.is_timeout
    [record] = tmp_path.iterdir()
    assert not orphans(record.name, backends=["local"])


@needs_verifiers
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_concurrent_agents": 1}, "the 2 members of a team work at the same time"),
        ({"rewards": {"luck": 1.0}}, "unknown reward 'luck'"),
        ({"agent1": {"max_turns": 3}}, "use env.limits"),
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any], message: str, parts: Task, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=message):
        environment(parts, tmp_path, **wrong)


@needs_verifiers
def test_the_page_configures_prime_rl(parts: Task) -> None:
    from verifiers.v1.utils.loaders import resolve_env_config

    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    [table] = tomllib.loads(page.split("```toml\n")[1].split("```")[0])["orchestrator"]["train"]["env"]
    config = resolve_env_config(table)
    assert (config.rewards["difference"], config.limits.steps, config.taskset.subset) == (0.5, 60, "lite")


@needs_verifiers
@pytest.mark.needs("sandbox")
def test_its_own_command_runs_teams(
    parts: Task, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINER_KEY", KEY)
    command = [
        str(Path(sys.executable).with_name("vf-eval")),
        "cooperbench-verifiers",
        "-n",
        "1",
        "-r",
        "1",
        "-m",
        "works",
    ]
    chosen = {
        "client.base-url": server.url,
        "client.api-key-var": "TRAINER_KEY",
        "env.taskset.dataset-dir": str(parts.dataset_dir),
        "env.backend": "local",
        "env.evaluation.falsify": "off",
        "env.log-dir": str(tmp_path / "logs"),
    }
    options = [word for name, value in chosen.items() for word in (f"--{name}", value)]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1.0" in done.stdout
