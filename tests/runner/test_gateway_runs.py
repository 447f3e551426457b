"""Programs behind the gateway in a run: limits, cost, history and events as for the built-in agent."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cooperbench.gateway import read_recording
from cooperbench.records import Ending, EpisodeStatus
from cooperbench.records.ledger import RunLedger
from cooperbench.runner import RunResult
from cooperbench.testing.conformance.commands import until
from tests.gateway.standin_provider import PRICES, Refusal, StandInProvider, Turn, serve_provider
from tests.runner.one_team import members_of, run_team

KEY = "sk-ant-real-key-of-the-host-00"
TURN = Turn(input=1000, cached=600, output=50)
COST = TURN.cost
pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]


@pytest.fixture
def provider(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInProvider]:
    with serve_provider(TURN, speaks=("anthropic",)) as running:
        monkeypatch.setenv("COOPERBENCH_EXTERNAL_AGENTS", "agents_behind_gateway")
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        Path("prices.json").write_text(json.dumps({"claude-of-tests": PRICES}))
        yield running


def run_asking(log_dir: Path, *counts: int, max_cost: float | None = None, **limits: int) -> RunResult:
    """Run a team whose members ask so many times."""
    model = {"price_table": str(Path("prices.json").absolute()), "retries": 1, "retry_wait": 0.01}
    shared = {"agent": "asks_through_gateway", "model": "anthropic/claude-of-tests", "limits": limits}
    members = [{**shared, "config": {"init": {"count": count}, "model": model}} for count in counts]
    return run_team(members, log_dir, messaging=False, max_cost=max_cost)


def test_limits_cost_history_events_and_no_key(provider: StandInProvider, surroundings: Path) -> None:
    done, limited = members_of(run_asking(surroundings, 2, 1000, steps=3))
    assert (done.ending, done.steps) == (Ending.SUBMITTED, 2)
    assert (limited.ending, limited.steps) == (Ending.LIMIT, 3)
    assert limited.limit is not None
    assert limited.limit.kind == "steps"
    costs = [member.usage.cost or 0 for member in (done, limited)]
    assert sum(costs) == pytest.approx(provider.bill)
    assert done.usage.cached_tokens == 1200
    assert done.patch_lines == limited.patch_lines == 1

    [events] = surroundings.rglob("events.jsonl")
    calls = [event for line in events.read_text().splitlines() if (event := json.loads(line))["kind"] == "model.call"]
    assert len(calls) == 5
    assert all(call["data"]["first_token_at"] and call["data"]["usage"]["cost"] for call in calls)
    [history] = surroundings.rglob("agent1_traj.json")
    roles = [entry["message"]["role"] for entry in json.loads(history.read_text())["messages"]]
    assert roles == ["user", "assistant", "user", "assistant"]
    [recording] = surroundings.rglob("agent1_logs/model_calls.jsonl.gz")
    assert [call.number for call in read_recording(recording)] == [1, 2]

    assert {headers["x-api-key"] for headers in provider.headers} == {KEY}
    assert not any(KEY.encode() in path.read_bytes() for path in surroundings.rglob("*") if path.is_file())
    assert KEY not in "".join(call.model_dump_json() for call in read_recording(recording))


def test_the_limit_of_the_run_holds(provider: StandInProvider, surroundings: Path) -> None:
    members = members_of(run_asking(surroundings, 1000, 1000, max_cost=4.5 * COST))
    assert {member.limit.kind for member in members if member.limit} == {"run cost"}
    assert 5 <= len(provider.requests) <= 6  # each member may have one call under way


@pytest.mark.ci
def test_an_outage_of_the_provider_is_not_the_agents_failure(provider: StandInProvider, surroundings: Path) -> None:
    provider.steps[:] = [
        Refusal(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    ]
    result = run_asking(surroundings, 3, 3)
    [episode] = result.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.INFRA_ERROR
    kinds = {member.error.kind for member in members_of(result) if member.error is not None}
    assert "ModelOverloadedError" in kinds


def is_forked(process: psutil.Process) -> bool:
    """Return whether it is the fork server, a supervisor or a worker."""
    with suppress(psutil.Error):
        return "cooperbench.runner.workers.fork_server" in process.cmdline()
    return False


def test_a_gateway_that_is_killed_costs_its_episode_an_attempt_and_no_score(
    provider: StandInProvider, surroundings: Path
) -> None:
    def kill_one_worker() -> None:
        until(lambda: len(provider.requests) >= 4, 60)  # both are in the middle of an answer
        server, *processes = (each for each in psutil.Process().children(recursive=True) if is_forked(each))
        next(each for each in processes if each.parent() not in {server, psutil.Process()}).kill()

    provider.pause = 0.1
    killer = threading.Thread(target=kill_one_worker)
    killer.start()
    result = run_asking(surroundings, 3, 3)
    killer.join()
    [episode] = result.episodes
    assert episode.result is not None
    assert (episode.result.status, episode.result.attempt) == (EpisodeStatus.COMPLETED, 2)
    assert [(member.ending, member.steps) for member in members_of(result)] == [(Ending.SUBMITTED, 3)] * 2
    assert [member.cost for member in members_of(result)] == [pytest.approx(3 * COST)] * 2
    [ledger] = surroundings.rglob("costs.txt")
    spent = RunLedger(ledger).total()  # with what was thrown away, but for the answers in the middle of which it was
    assert provider.bill - 2.5 * COST <= spent <= provider.bill + 0.5 * COST
    assert spent >= 7.5 * COST
