"""Agents that call LiteLLM by themselves stay within their limits and the run's, and what they spend is recorded."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.records import Ending, EpisodeStatus
from cooperbench.runner import SessionOptions
from tests.agents.standin_llm import StandIn, fails, says, serve
from tests.runner.one_team import members_of, run_team

PRICE = 1000 * 2.5e-6 + 100 * 1e-5
"""US dollars of one call of gpt-4o with 1000 tokens in and 100 out."""

pytestmark = pytest.mark.needs("litellm", "sandbox")


@pytest.fixture
def server(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with serve(says("Go on.")) as running:
        monkeypatch.setenv("COOPERBENCH_EXTERNAL_AGENTS", "agents_with_litellm")
        monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        yield running


@pytest.mark.ci
@pytest.mark.slow  # LiteLLM takes seconds to import
def test_each_is_ended_at_its_own_limit_with_its_work(server: StandIn, surroundings: Path) -> None:
    table = Path("prices.yaml").absolute()
    table.write_text("of-my-own: {input: 1.0, output: 2.0}\n")
    priced = {"init": {"count": 1_000_000}, "model": {"price_table": str(table)}}
    steps = {"steps": 3}
    members: list[dict[str, object]] = [
        {"agent": "calls", "model": "gpt-4o", "limits": {"cost": 2.5 * PRICE, "steps": None}},
        {"agent": "calls_in_threads", "model": "gpt-4o", "limits": steps},
        {"agent": "calls_later", "model": "gpt-4o", "limits": steps},
        {"agent": "calls_for_ever", "model": "gpt-4o", "limits": steps},
        {"agent": "calls", "model": "openai/of-my-own", "config": priced, "limits": {"cost": 0.002, "steps": None}},
        {"agent": "calls", "model": "openai/of-my-own", "config": {"init": {"count": 2}}},
        # With a built-in agent in the team all workers share one import; the test below has one in each of them.
        {"agent": "mini_swe_agent", "model": "gpt-4o", "limits": {"steps": 1}},
    ]
    *ended, built_in = members_of(run_team(members, surroundings, messaging=False))
    assert (built_in.ending, built_in.steps) == (Ending.LIMIT, 1)
    assert [member.ending for member in ended] == [*[Ending.LIMIT] * 5, Ending.SUBMITTED]
    limits = [member.limit.kind for member in ended if member.limit is not None]
    assert limits == ["cost", "steps", "steps", "steps", "cost"]
    assert [member.steps for member in ended] == [3, 3, 3, 3, 2, 2]
    assert [member.usage.cost for member in ended] == [*[pytest.approx(3 * PRICE)] * 4, pytest.approx(0.0024), None]
    for member in ended:
        assert member.usage.input_tokens == 1000 * member.steps
        assert member.patch_lines == 1, f"the work of {member.agent} was lost"
    asked = Counter(request["messages"][0]["content"] for request in server.requests)
    kinds = ("CallsInThreads", "CallsLater", "CallsForEver", "Calls")
    assert [asked[f"What next for {kind}?"] for kind in kinds] == [3, 3, 3, 3 + 2 + 2]
    [history] = surroundings.rglob("agent1_traj.json")
    written = [entry["message"]["content"] for entry in json.loads(history.read_text())["messages"]]
    assert written[:2] == ["What next for Calls?", "Go on."]


@pytest.mark.slow
def test_the_limit_of_the_run_holds_for_them_too(server: StandIn, surroundings: Path) -> None:
    result = run_team([{"agent": "calls", "model": "gpt-4o"}] * 2, surroundings, messaging=False, max_cost=5 * PRICE)
    [episode] = result.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.INTERRUPTED
    assert "cost limit" in result.stopped
    assert 5 <= len(server.requests) <= 7
    assert result.summary.total_cost is None or result.summary.total_cost <= 7 * PRICE


@pytest.mark.slow  # LiteLLM takes seconds to import
def test_an_agent_that_reports_an_outage_as_its_error_is_not_scored(server: StandIn, surroundings: Path) -> None:
    server.answers[:] = [fails(503, "overloaded")]
    members: list[dict[str, object]] = [{"agent": "gives_up", "model": "gpt-4o"}, {"agent": "nop"}]
    options = SessionOptions(auto_eval=False, retries=0)
    member, _ = members_of(run_team(members, surroundings, options, messaging=False))
    assert member.ending is Ending.INFRA_ERROR
    assert member.error is not None
    assert (member.error.boundary, member.error.kind) == ("model", "ModelOverloadedError")
