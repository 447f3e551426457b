"""Badly behaved agents of one team: each costs its own part, the others finish, and nothing is left running."""

import os
from pathlib import Path

import pytest

from cooperbench.records import Ending, EpisodeStatus, MemberResult, Setting
from cooperbench.runner import SessionOptions
from tests.runner.one_team import members_of, run_team

pytestmark = pytest.mark.needs("sandbox")


def run_badly(members: list[dict[str, object]], log_dir: Path, *, memory_mb: int = 4096) -> list[MemberResult]:
    """One episode in which each member behaves in its own way; the last one behaves well."""
    sandboxes = Path(os.environ["COOPERBENCH_CACHE_DIR"]) / "sandboxes"
    before = set(sandboxes.glob("*"))  # tests that kill the runner leave some, for as long as they live
    result = run_team(members, log_dir, SessionOptions(auto_eval=False, agent_memory_mb=memory_mb))
    [episode] = result.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.COMPLETED, episode.result.error
    assert episode.result.setting is Setting.COOP
    ended = members_of(result)
    assert ended[-1].ending is Ending.SUBMITTED
    for member in ended:
        assert member.patch_lines == 1, f"the work of {member.agent} was lost"
    assert not survivors()
    assert set(sandboxes.glob("*")) <= before
    return ended


def survivors() -> list[str]:
    """Programs that workers of this test started and that still run."""
    found = []
    cache = f"COOPERBENCH_CACHE_DIR={os.environ['COOPERBENCH_CACHE_DIR']}\0".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes() + b"\0"
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX" and b"COOPERBENCH_WORKER=" in environment and cache in environment:
            found.append((entry / "cmdline").read_bytes().decode())
    return found


@pytest.mark.slow
def test_agents_that_return_nonsense_or_raise(surroundings: Path) -> None:
    names = ["raise", "unprintable", "none", "wrong_type", "negative_cost", "exit", "work"]
    ended = run_badly([{"agent": f"testing/{name}"} for name in names], surroundings)
    assert [member.ending for member in ended] == [*[Ending.ERROR] * 5, Ending.CRASH, Ending.SUBMITTED]
    said = [member.error.message for member in ended if member.error is not None]
    assert said[0] == "the agent raised ValueError: the agent's own mistake"
    assert "UnprintableError" in said[1]
    assert said[2] == "run() returned nothing instead of an AgentResult"
    assert said[3] == "run() returned a dict instead of an AgentResult"
    assert said[4] == "AgentResult.cost is -1.0"
    assert said[5] == "the agent's process exited with code 7 without a result"


@pytest.mark.ci
@pytest.mark.slow  # deadlines leave time for sandboxes on a busy machine, and deaf agents have ten seconds of grace
def test_agents_that_do_not_end(surroundings: Path) -> None:
    short = {"wall_time": 15}
    members: list[dict[str, object]] = [
        {"agent": "testing/hang", "limits": short},
        {"agent": "testing/ignore_signals", "limits": short},
        {"agent": "testing/hang_in_command", "limits": short},
        {"agent": "testing/swallow_limits", "limits": {"steps": 5}},
        {"agent": "testing/memory", "config": {"init": {"megabytes": 8192}}},
        {"agent": "testing/work"},
    ]
    ended = run_badly(members, surroundings, memory_mb=400)
    assert [member.ending for member in ended] == [
        *[Ending.TIMEOUT] * 3,
        Ending.LIMIT,
        Ending.CRASH,
        Ending.SUBMITTED,
    ]
    assert ended[3].limit is not None
    assert (ended[3].limit.kind, ended[3].limit.value) == ("steps", 5)
    assert ended[4].error is not None
    assert ended[4].error.message == "the agent's process took more than 400 MB of the host's memory"
