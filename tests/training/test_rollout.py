"""Rollouts with a real policy server, sandboxes and hidden tests; all episodes of this file run at once, in one event loop."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cooperbench.environments import orphans
from cooperbench.records import Ending, Evaluation, Outcome, read_model
from cooperbench.records.runs import read_runs
from cooperbench.tasks import Task
from cooperbench.training import Endpoint, TeamRollout, rollout, rollout_async
from tests.agents.standin_llm import StandIn
from tests.training.conftest import CHEAP, KEY, Policy

pytestmark = [pytest.mark.slow, pytest.mark.needs("sandbox")]
Team = Callable[..., dict[str, Endpoint]]
TEAMS = {
    "works": ("works", "works"),
    "idle": ("works", "idle"),
    "clashes": ("clashes", "clashes"),
    "wrong": ("wrong", "works"),
    "never ends": ("works", "never-ends"),
    "refuses": ("works", "refuses"),
    "three": ("clashes", "clashes", "works"),
}


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rollouts")


@pytest.fixture(scope="module")
def results(parts: Task, server: StandIn, log_dir: Path) -> dict[str, TeamRollout]:
    before = dict(os.environ)

    async def play(models: tuple[str, ...]) -> TeamRollout:
        members = {f"agent{n + 1}": Endpoint(server.url, KEY, model) for n, model in enumerate(models)}
        rewards = {"all": 1.0, "own": 0.5, "conflict": 0.25}
        if len(models) > 2:
            rewards = {"difference": 1.0}
        features = range(1, len(models) + 1)
        return await rollout_async(parts, tuple(features), members, rewards=rewards, log_dir=log_dir, **CHEAP)

    async def play_all() -> list[TeamRollout]:
        return await asyncio.gather(*(play(models) for models in TEAMS.values()))

    found = dict(zip(TEAMS, asyncio.run(play_all()), strict=True))
    assert os.environ.items() - before.items() <= {("LITELLM_LOCAL_MODEL_COST_MAP", "True")}
    return found


def parts_of(result: TeamRollout, agent_id: str = "agent1") -> dict[str, float | None]:
    return {str(part): value for part, value in result.members[agent_id].parts.items()}


def test_a_team_that_works(results: dict[str, TeamRollout]) -> None:
    result = results["works"]
    assert (result.outcome, result.passed, result.failed, result.error) == (Outcome.PASSED, True, False, None)
    assert result.rewards == {"agent1": 1.5, "agent2": 1.5}
    all_well = {"all": 1.0, "share": 1.0, "own": 1.0, "alone": 1.0, "conflict": 0.0, "difference": 0.5}
    assert parts_of(result) == parts_of(result, "agent2") == all_well
    member = result.members["agent1"]
    assert (member.ending, member.truncated, member.steps, member.submitted) == (Ending.SUBMITTED, False, 2, True)
    assert (member.usage.input_tokens, member.usage.output_tokens, member.usage.cost) == (2000, 200, None)
    assert member.trajectory is not None
    assert "NUMBER = 1" in member.trajectory.read_text()


@pytest.mark.parametrize(
    ("name", "outcome", "first", "second", "rewards"),
    [
        ("idle", Outcome.NO_PATCH, (0, 0.5, 1, 1, 0, 0.5), (0, 0.5, 0, 0, 0, 0), (0.5, 0)),
        ("clashes", Outcome.MERGE_CONFLICT, (0, 0, 0, 1, -1, -0.5), (0, 0, 0, 1, -1, -0.5), (-0.25, -0.25)),
        ("wrong", Outcome.TESTS_FAILED, (0, 0.5, 0, 0, 0, 0), (0, 0.5, 1, 1, 0, 0.5), (0, 0.5)),
    ],
)
def test_parts(
    results: dict[str, TeamRollout], name: str, outcome: Outcome, first: Any, second: Any, rewards: Any
) -> None:
    result = results[name]
    assert (result.outcome, result.passed) == (outcome, False)
    assert (tuple(parts_of(result).values()), tuple(parts_of(result, "agent2").values())) == (first, second)
    assert tuple(result.rewards.values()) == rewards


def test_a_limit_truncates_and_the_work_counts(results: dict[str, TeamRollout]) -> None:
    result = results["never ends"]
    assert result.outcome is Outcome.PASSED
    assert {name: member.truncated for name, member in result.members.items()} == {"agent1": False, "agent2": True}
    assert result.members["agent2"].ending is Ending.LIMIT


def test_a_failing_endpoint_is_no_signal(results: dict[str, TeamRollout]) -> None:
    result = results["refuses"]
    assert (result.outcome, result.passed, result.failed) == (Outcome.INFRA_ERROR, None, True)
    assert result.rewards == {"agent1": None, "agent2": None}
    assert set(parts_of(result).values()) == {None}
    assert result.error is not None
    assert result.error.kind == "ModelAuthenticationError"


def test_three_members(results: dict[str, TeamRollout]) -> None:
    result = results["three"]
    assert (result.passed, list(result.members)) == (False, ["agent1", "agent2", "agent3"])
    assert parts_of(result, "agent3")["alone"] == 1.0
    # Without one of those that clash, two of three features pass; without the third, they still clash.
    assert result.rewards == {"agent1": pytest.approx(-2 / 3), "agent2": pytest.approx(-2 / 3), "agent3": 0.0}
    left = {path.name: path for path in result.episode.iterdir()}
    assert {name for name in left if name.startswith("without_")} == {f"without_agent{n}.json" for n in (1, 2, 3)}
    assert read_model(left["without_agent3.json"], Evaluation).verdict.outcome is Outcome.MERGE_CONFLICT
    assert ".evaluation" not in left


def test_the_records_are_runs_and_hold_no_key(results: dict[str, TeamRollout], log_dir: Path, server: StandIn) -> None:
    names = [result.record.name for result in results.values()]
    runs = read_runs(names, log_dir)
    assert [run.summary.planned for run in runs] == [1] * len(TEAMS)
    assert sum(run.summary.passed for run in runs) == 2
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert not [path for path in log_dir.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_cancelling_ends_the_sandboxes(parts: Task, team: Team, policy: Policy, tmp_path: Path) -> None:
    async def cancelled() -> None:
        playing = asyncio.create_task(rollout_async(parts, (1, 2), team("works", "hangs"), log_dir=tmp_path, **CHEAP))
        await asyncio.to_thread(policy.hanging.wait, 60)
        assert orphans(tmp_path.glob("*").__next__().name, backends=["local"])
        playing.cancel()
        await asyncio.sleep(0)
        playing.cancel()  # impatience changes nothing
        with pytest.raises(asyncio.CancelledError):
            await playing
        assert not orphans(tmp_path.glob("*").__next__().name, backends=["local"])

    asyncio.run(cancelled())


def test_without_an_event_loop(parts: Task, team: Team, tmp_path: Path) -> None:
    endpoint = team("works")["agent1"]
    result = rollout(parts, [2], {"solo": endpoint}, setting="solo", rewards="own", log_dir=tmp_path, **CHEAP)
    assert (result.rewards, result.members["solo"].features) == ({"solo": 1.0}, (2,))
    assert parts_of(result, "solo") == {
        "all": 1.0, "share": 1.0, "own": 1.0, "alone": 1.0, "conflict": 0.0, "difference": 1.0
    }  # fmt: skip
