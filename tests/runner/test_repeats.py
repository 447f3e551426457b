"""Repeats of a group, a run that grows, and budgets: `-k`, `--limit`, `--seed` and `--team-budget`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench import read_run, run
from cooperbench.errors import RunMismatchError, UsageError
from cooperbench.records import GroupKey, Limits, RunConfig
from cooperbench.records.episode_state import EpisodeState
from cooperbench.runner import RunRequest, make_plan
from cooperbench.runner.packages import export_run, merge_runs
from cooperbench.runner.planning.sampling import choose_episodes
from cooperbench.tasks import discover_groups, discover_tasks
from tests.command_line import cooperbench


def plan_of(**more: object) -> RunConfig:
    request = RunRequest(agent="nop", subset="demo", **more)  # type: ignore[arg-type]
    return make_plan(request).config


def groups_of(**more: object) -> tuple[GroupKey, ...]:
    return plan_of(**more).groups


EVERY = groups_of()
GROUPS = discover_groups(discover_tasks(subset="demo"), subset="demo")


def drawn(limit: int, seed: int) -> tuple[GroupKey, ...]:
    return tuple(key for key, _ in choose_episodes(GROUPS, limit=limit, repeats=1, seed=seed))


@given(st.integers(1, len(EVERY) + 3), st.integers(1, len(EVERY) + 3), st.integers(0, 9))
def test_more_groups_contain_fewer(one: int, other: int, seed: int) -> None:
    fewer, more = sorted((one, other))
    small, large = drawn(fewer, seed), drawn(more, seed)
    assert len(small) == min(fewer, len(EVERY))
    assert set(small) <= set(large) <= set(EVERY)
    assert list(small) == [group for group in EVERY if group in set(small)]


@pytest.mark.slow
def test_the_seed_draws_the_order() -> None:
    assert len({groups_of(limit=3, seed=seed) for seed in range(10)}) > 5
    assert groups_of(limit=3) == groups_of(limit=3, seed=0)


def test_the_first_repeat_is_the_run_without_repeats() -> None:
    config = plan_of(repeats=3, limit=2, seed=40)
    first, *later = (config.groups[start : start + 2] for start in (0, 2, 4))
    assert first == groups_of(limit=2, seed=40)
    assert [[each.first for each in groups] for groups in later] == [list(first)] * 2
    assert {config.seed_of(group) for group in first} == {40}
    assert [config.seed_of(group) for group in config.groups] == [40, 40, 41, 41, 42, 42]
    assert config.repeats == 3
    assert str(first[0]) + "-repeat3" == str(config.groups[4])


@pytest.mark.parametrize("number", [{"repeats": 0}, {"limit": 0}, {"limit": -1}])
def test_numbers_below_one_are_refused(number: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        plan_of(**number)


def test_one_agent_alone_may_have_the_budget_of_a_team() -> None:
    [alone] = plan_of(setting="solo", team_budget=True, limits=Limits(cost=None)).team
    assert (alone.limits.steps, alone.limits.cost, alone.limits.tokens) == (200, None, None)
    assert (alone.limits.wall_time, alone.limits.command_time) == (7200, 120)
    with pytest.raises(UsageError, match="--team-budget needs the setting solo"):
        plan_of(team_budget=True)


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_try_grows_into_the_full_run(tmp_path: Path) -> None:
    def more(limit: int, repeats: int = 1) -> list[EpisodeState]:
        result = run(
            "grows",
            "nop",
            subset="demo",
            repo="shelfdb",
            auto_eval=False,
            log_dir=tmp_path,
            limit=limit,
            repeats=repeats,
        )
        assert result.complete
        return [episode.state for episode in result]

    assert len(more(limit=1)) == 1
    [first] = read_run("grows", tmp_path)
    assert first.directory.name == "_".join(f"f{feature}" for feature in first.group.features)
    before = first.files.result.read_bytes()
    assert len(more(limit=2, repeats=2)) == 4
    assert first.files.result.read_bytes() == before
    with pytest.raises(RunMismatchError, match=r"4 before, 1 now"):
        more(limit=1)

    rows = read_run("grows", tmp_path).rows()
    assert sorted(row["repeat"] for row in rows) == [1, 1, 2, 2]
    assert len({row["group"] for row in rows}) == 2
    results = [episode.result for episode in read_run("grows", tmp_path)]
    assert [result and result.repeat for result in results] == [1, 1, 2, 2]

    export_run("grows", tmp_path / "package", log_dir=tmp_path)
    merge_runs("again", [tmp_path / "package"], log_dir=tmp_path)
    assert [episode.group for episode in read_run("again", tmp_path)] == [
        episode.group for episode in read_run("grows", tmp_path)
    ]
    name = f"{rows[0]['group']}-repeat2"
    shown = cooperbench("runs", "show", "grows", name, "--log-dir", str(tmp_path))
    assert shown.code == 0, shown.err
    assert "2 repeats" in cooperbench("runs", "show", "grows", "--log-dir", str(tmp_path)).out
