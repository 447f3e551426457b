"""`cooperbench compare` and `cooperbench power`."""

import json
from pathlib import Path
from typing import Any

import pytest

from cooperbench.records import Setting
from tests.analysis.made_runs import Made, RunFacts, write_run
from tests.command_line import Said, cooperbench

SOLO = RunFacts(Setting.SOLO)


def run_of(tasks: int, passes: list[bool], **facts: Any) -> list[Made]:
    """Make the same outcomes in each of so many tasks."""
    return [
        Made(task, (1, number), passes=passed, **facts)
        for task in range(1, tasks + 1)
        for number, passed in enumerate(passes, 2)
    ]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("logs")
    write_run(place, "solo", run_of(7, [True, True, True, False]), SOLO)
    write_run(place, "coop", run_of(7, [True, False, False, False]))
    write_run(place, "same", run_of(7, [True, False, False, False]))
    write_run(place, "near", [*run_of(6, [True, False, False, False]), *run_of(1, [True], repo="other_task")])
    return place


def compare(logs: Path, *words: str) -> Said:
    return cooperbench("compare", *words, "--log-dir", str(logs))


def tables(said: Said) -> dict[str, list[dict[str, Any]]]:
    assert said.code == 0, said.err
    return {table["key"]: table["rows"] for table in json.loads(said.out)["tables"]}


def test_the_coordination_gap(logs: Path) -> None:
    said = compare(logs, "solo", "coop")
    assert said.out.splitlines()[0] == (
        "Splitting the work costs 50.0 points: solo passes 75.0 % and coop 25.0 % of the same 28 groups "
        "(95 % interval +27.3 to +65.2 points, p = 0.0156)."
    )
    made = tables(compare(logs, "solo", "coop", "--format", "json"))
    [difference] = made["difference"]
    assert (difference["groups"], difference["pools"], difference["A - B"]) == (28, 7, 0.5)
    assert difference["p"] == pytest.approx(2 / 2**7)
    [counts] = made["counts"]
    assert [counts[name] for name in ("both pass", "A better", "B better", "neither", "groups")] == [7, 14, 0, 7, 28]
    assert len(made["flips"]) == 14
    assert {(row["better"], row["worse"], row["outcome of the worse"]) for row in made["flips"]} == {
        ("solo", "coop", "tests failed")
    }
    assert all(Path(row["path"]).is_dir() and row["reason"] == "test_shelf failed" for row in made["flips"])


def test_nothing_yet_says_how_many_groups_it_takes(logs: Path) -> None:
    first = compare(logs, "coop", "near").out.splitlines()[0]
    assert first.startswith("Nothing can be concluded yet: coop passes 25.0 % and near 25.0 % of the same 24 groups")
    assert "you need about" in first


def test_what_is_left_out_is_said(logs: Path) -> None:
    assert "groups left out: 4 only in coop, 1 only in near" in compare(logs, "coop", "near").out


@pytest.mark.slow
def test_several_comparisons_are_adjusted(logs: Path) -> None:
    rows = tables(compare(logs, "solo", "coop", "same", "--format", "json"))["difference"]
    assert [row["p, Holm"] for row in rows] == [pytest.approx(2 * row["p"]) for row in rows]
    said = compare(logs, "solo", "coop", "same")
    assert len([line for line in said.out.splitlines() if line.startswith("Splitting")]) == 2


def test_flips_are_cut_only_with_a_word(logs: Path) -> None:
    said = compare(logs, "solo", "coop", "--flips", "3", "--table", "flips")
    assert "11 more are not listed: --flips 0 lists all" in said.out
    assert "14 groups for solo, 0 for coop" in said.out
    assert len(tables(compare(logs, "solo", "coop", "--flips", "0", "--format", "json"))["flips"]) == 14


def test_repeats_against_one_attempt(tmp_path: Path) -> None:
    write_run(tmp_path, "once", run_of(2, [True, False]))
    twice = [
        Made(task, (1, number), repeat=repeat, passes=number == repeat + 1)
        for task in (1, 2)
        for number in (2, 3)
        for repeat in (1, 2)
    ]
    write_run(tmp_path, "twice", twice)
    made = tables(compare(tmp_path, "once", "twice", "--format", "json"))
    [difference] = made["difference"]
    assert (difference["rate A"], difference["rate B"], difference["McNemar mid-p"]) == (0.5, 0.5, None)
    assert {(row["better"], row["worse"]) for row in made["flips"]} == {("once", "twice 1/2"), ("twice 1/2", "once")}


@pytest.mark.parametrize(
    ("facts", "differs"),
    [
        (RunFacts(task_revision="sha256:other"), "data revision of shelf_task/1"),
        (RunFacts(task_revision=None, revision="sha256:other"), "data revision sha256:other against sha256:aaaa"),
        (RunFacts(policy="union@1"), "policy union@1 against naive@1"),
        (RunFacts(steps=50), "steps per member 50 against 100"),
        (RunFacts(steps=None), "steps per member no limit against 100"),
        (RunFacts(wall_time=60), "wall time 60 s against 3600 s"),
        (RunFacts(Setting.SOLO, steps=150), "steps per member 150 against 100"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_comparable_is_refused(tmp_path: Path, facts: RunFacts, differs: str) -> None:
    write_run(tmp_path, "a", [Made(features=(1, 2)), Made(features=(1, 3))], facts)
    write_run(tmp_path, "b", [Made(features=(1, 2)), Made(features=(1, 3), passes=False)])
    said = compare(tmp_path, "a", "b")
    assert (said.code, said.out) == (2, "")
    assert f"a and b cannot be compared: {differs}" in said.err
    assert "--anyway" in said.err
    allowed = compare(tmp_path, "a", "b", "--anyway")
    assert allowed.code == 0
    assert f"Not comparable, and compared anyway: {differs}" in allowed.out


def test_one_policy_for_both(tmp_path: Path) -> None:
    write_run(tmp_path, "a", [Made()], RunFacts(policy="union@1"))
    write_run(tmp_path, "b", [Made()])
    assert compare(tmp_path, "a", "b", "--policy", "union").code == 0


@pytest.mark.parametrize("steps", [100, 200])
def test_solo_with_the_budget_of_a_member_or_of_the_team(tmp_path: Path, steps: int) -> None:
    write_run(tmp_path, "solo", [Made()], RunFacts(Setting.SOLO, steps=steps, model="m"))
    write_run(tmp_path, "coop", [Made()], RunFacts(model="m"))
    cost = 3.0 if steps == 100 else 6.0
    config = tmp_path / "solo" / "config.json"
    config.write_text(config.read_text().replace('"cost": 3.0', f'"cost": {cost}'))
    assert compare(tmp_path, "solo", "coop").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["coop"], "a comparison needs two runs"),
        (["coop", "coop"], "a comparison needs two runs"),
        (["coop", "elsewhere"], "they have no group in common"),
        (["coop", "missing"], "unknown run 'missing'"),
        (["coop", "elsewhere", "--anyway"], "no group with a verdict in both"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_one_line_and_what_to_do(tmp_path: Path, words: list[str], message: str) -> None:
    write_run(tmp_path, "coop", [Made()])
    write_run(tmp_path, "elsewhere", [Made(repo="other_task")])
    said = compare(tmp_path, *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def power(*words: str) -> Said:
    return cooperbench("power", *words)


def test_power_of_groups_and_for_an_effect() -> None:
    assert power("--groups", "50").out.startswith("50 groups show a difference of 21.2 points with 80 % power")
    assert power("--effect", "5").out.startswith("940 groups show a difference of 5.0 points")
    clustered = power("--groups", "50", "--icc", ".1", "--json").facts
    assert clustered["effect"] > 0.2119
    assert clustered["design_effect"] > 1.2
    assert "design effect 1.25" in power("--groups", "50", "--icc", ".1").out
    both = power("--groups", "100", "--effect", "15", "--json").facts
    assert (both["groups"], both["effect"]) == (100, 0.15)
    assert 0.5 < both["power"] < 1


def test_too_few_groups_show_nothing() -> None:
    assert power("--groups", "3").out.startswith("3 groups show nothing")
    assert power("--groups", "3", "--json").facts["effect"] is None


def test_power_from_runs(logs: Path) -> None:
    facts = power("solo", "coop", "--effect", "10", "--log-dir", str(logs), "--json").facts
    assert facts["discordant"] == 0.5
    assert facts["pool_size"] == 4
    assert "measured on 28 groups of solo and coop" in facts["source"]
    assert power("solo", "coop", "--log-dir", str(logs)).out.startswith("28 groups show")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to plan"),
        (["--groups", "1"], "'--groups'"),
        (["--effect", "50"], "an effect of 50 points is not possible"),
        (["--effect", "nan"], "not a"),
        (["--groups", "50", "--icc", "3"], "'--icc'"),
        (["--effect", "1", "--icc", ".3"], "no number of groups"),
        (["nobody", "--effect", "5"], "unknown run 'nobody'"),
        (["coop", "--effect", "5"], "one attempt per group"),
        (["coop", "same", "--effect", "5"], "no group differs"),
        (["coop", "same", "solo", "--effect", "5"], "at most two runs"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_plans_that_cannot_be_made(logs: Path, words: list[str], message: str) -> None:
    said = power(*words, "--log-dir", str(logs))
    assert (said.code, said.out) == (2, "")
    assert message in said.err
