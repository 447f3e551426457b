import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cooperbench.errors import RunMismatchError
from cooperbench.records import Ending, EpisodeStatus, GroupKey, Limits, PatchSource
from cooperbench.runner import RunResult, read_run, run
from cooperbench.tasks import find_dataset

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

Finished = Callable[..., RunResult]
GROUP = GroupKey(repo="shelfdb_task", task_id=1, features=(1, 2))


def run_pair(agent: str, log_dir: Path, **more: object) -> RunResult:
    arguments = {"subset": "demo", "repo": "shelfdb", "features": (1, 2), "auto_eval": False, "log_dir": log_dir} | more
    return run(f"with-{agent}", agent, "none", **arguments)  # type: ignore[arg-type]


def test_work_is_captured_and_recorded(surroundings: Path) -> None:
    ended = run_pair("writes", surroundings)
    assert ended.complete
    [episode] = ended.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.COMPLETED
    assert episode.result.total_cost == 0.5
    first, second = episode.result.agents.values()
    assert (first.agent_id, first.features, first.ending) == ("agent1", (1,), Ending.SUBMITTED)
    assert first.submission is not None
    assert first.submission.source is PatchSource.CAPTURED
    assert b"+work of agent1\n" in (episode.directory / first.submission.file).read_bytes()
    assert (second.patch_lines, second.error) == (1, None)
    assert {path.name for path in episode.directory.iterdir()} == {
        "result.json",
        "agent1.patch",
        "agent2.patch",
        "agent1_traj.json",
        "agent2_traj.json",
        "conversation.json",
        "events.jsonl",
    }


@pytest.mark.slow
def test_who_is_left_is_told_where_the_work_of_a_teammate_is(surroundings: Path) -> None:
    [episode] = run_pair("hands_over", surroundings, git=True).episodes
    told = (episode.directory / "agent2.patch").read_text()
    assert re.search(r"agent1 has finished; its work is on origin/agent1 at \w{7}: Add my part", told)
    assert re.search(r"\+\w{7} Add my part", told)
    kinds = [json.loads(line)["kind"] for line in (episode.directory / "events.jsonl").read_text().splitlines()]
    assert kinds.count("git.push") == 1
    assert "git.fetch" in kinds


@pytest.mark.slow
def test_a_team_of_three_has_a_lead_and_a_board(surroundings: Path) -> None:
    group = {"subset": None, "dataset_dir": find_dataset(subset="demo"), "repo": "shelfdb_task", "features": (1, 2, 3)}
    [episode] = run_pair("shares_tasks", surroundings, setting="team", **group).episodes
    patches = [(episode.directory / f"agent{number}.patch").read_text() for number in (1, 2, 3)]
    assert "+You lead the team." in patches[0]
    assert all("+agent1 leads the team" in patch for patch in patches[1:])
    assert all("coop task claim" in patch and "origin" not in patch for patch in patches)
    assert sum("+Task 1 is yours." in patch for patch in patches) == 1
    assert sum("+coop: task 1 is taken by agent" in patch for patch in patches) == 2
    events = [json.loads(line) for line in (episode.directory / "events.jsonl").read_text().splitlines()]
    claims = [event["data"].get("refused") for event in events if event["kind"] == "task.claim"]
    assert sorted(bool(refused) for refused in claims) == [False, True, True]


@pytest.mark.slow
def test_a_patch_that_the_agent_stripped_is_repaired(surroundings: Path) -> None:
    captured = run_pair("writes", surroundings, messaging=False)
    returned = run_pair("writes", surroundings, messaging=False, config={"returns": True}, force=True)
    [before], [after] = captured.episodes, returned.episodes
    assert before.result is not None
    assert after.result is not None
    patches = [episode.result.agents["agent1"].submission for episode in (before, after) if episode.result]
    assert [patch.source for patch in patches if patch] == [PatchSource.CAPTURED, PatchSource.AGENT]
    assert len({patch.sha256 for patch in patches if patch}) == 1


def test_an_agent_that_leaves_its_sandbox_open_loses_nothing(surroundings: Path) -> None:
    [episode] = run_pair("writes", surroundings, config={"cleans": False}).episodes
    assert episode.result is not None
    assert [member.patch_lines for member in episode.result.agents.values()] == [1, 1]


def test_an_agent_that_takes_its_process_down_costs_only_its_end(surroundings: Path) -> None:
    [episode] = run_pair("dies", surroundings).episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.COMPLETED
    for member in episode.result.agents.values():
        assert member.ending is Ending.CRASH
        assert member.error is not None
        assert member.error.message == "the agent's process exited with code 0 without a result"
        assert member.patch_lines == 1
        assert member.usage.cost is None


@pytest.mark.ci
@pytest.mark.slow  # the deadline leaves time for a sandbox on a busy machine, and a deaf agent has ten seconds of grace
def test_an_agent_that_hangs_is_ended_at_its_deadline(surroundings: Path) -> None:
    [episode] = run_pair("hangs", surroundings, limits=Limits(wall_time=15)).episodes
    assert episode.result is not None
    for member in episode.result.agents.values():
        assert member.ending is Ending.TIMEOUT
        assert member.limit is not None
        assert (member.limit.kind, member.limit.limit) == ("wall_time", 15)
        assert member.limit.value >= 15
        assert member.patch_lines == 1


@pytest.mark.slow
def test_the_same_call_leaves_finished_episodes_alone(finished: Finished, surroundings: Path) -> None:
    first = finished("with-writes", "writes")
    result = first.episodes[0].directory / "result.json"
    before = (result.stat().st_mtime_ns, result.read_bytes())
    second = run_pair("writes", surroundings)
    assert (result.stat().st_mtime_ns, result.read_bytes()) == before
    assert second.complete


@pytest.mark.slow
def test_an_unreadable_result_is_repaired_by_repeating(finished: Finished, surroundings: Path) -> None:
    result = finished("with-writes", "writes").episodes[0].directory / "result.json"
    result.write_bytes(result.read_bytes()[:100])
    assert not read_run("with-writes", surroundings).complete
    assert run_pair("writes", surroundings).complete


@pytest.mark.parametrize("left", [None, b"{"])
def test_a_run_that_lost_its_configuration_takes_no_results_of_another(
    finished: Finished, surroundings: Path, left: bytes | None
) -> None:
    path = finished("with-writes", "writes").directory / "config.json"
    path.unlink() if left is None else path.write_bytes(left)
    with pytest.raises(RunMismatchError, match="shelfdb_task/1/f1_f2 was made with another configuration"):
        run_pair("writes", surroundings, limits=Limits(steps=7))
    [episode] = run_pair("writes", surroundings).episodes
    assert episode.result is not None
    assert episode.result.attempt == 1


def test_a_patch_that_was_changed_since_is_no_submission(finished: Finished, surroundings: Path) -> None:
    [episode] = finished("with-writes", "writes").episodes
    (episode.directory / "agent2.patch").write_bytes(b"x")
    [repeated] = run_pair("writes", surroundings).episodes
    assert repeated.result is not None
    assert repeated.result.attempt == 2
    assert b"+work of agent2\n" in (episode.directory / "agent2.patch").read_bytes()


def test_a_file_that_cannot_be_read_costs_its_own_episode(finished: Finished, surroundings: Path) -> None:
    [episode] = finished("with-writes", "writes").episodes
    (episode.directory / "result.json").unlink()
    (episode.directory / "result.json").mkdir()
    assert not read_run("with-writes", surroundings).complete
    assert run_pair("writes", surroundings).complete


def test_another_configuration_is_refused_with_the_difference(finished: Finished, surroundings: Path) -> None:
    finished("with-writes", "writes")
    with pytest.raises(RunMismatchError, match=r"limits.steps was 100 and is 7; .*limits.steps was 100 and is 7"):
        run_pair("writes", surroundings, limits=Limits(steps=7))
    assert run_pair("writes", surroundings, limits=Limits(steps=7), force=True).complete
