"""The paper's tables: its printed counts give its printed numbers, and known runs give known tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from cooperbench.analysis.paper.published import AUC_POOLED, CURVE, MODELS, PAIRS, published_model
from cooperbench.analysis.statistics import area, retention, wilson
from cooperbench.records import Setting
from tests.analysis.made_runs import Made, RunFacts, write_run
from tests.command_line import cooperbench


def report(logs: Path, *words: str) -> dict[str, list[dict[str, Any]]]:
    said = cooperbench("report", *words, "--paper", "--format", "json", "--log-dir", str(logs))
    assert said.code == 0, said.err
    return {table["key"]: table["rows"] for table in json.loads(said.out)["tables"]}


def outcomes(passes: str, **facts: Any) -> list[Made]:
    """Make groups of 3 tasks in turn; 1 passes, 0 fails."""
    return [Made(1 + index % 3, (1, 2 + index), passes=sign == "1", **facts) for index, sign in enumerate(passes)]


def test_published_counts_give_published_numbers() -> None:
    assert [round(100 * model.solo / PAIRS, 1) for model in MODELS] == [48.3, 47.1, 36.2, 21.6, 6.3]
    assert wilson(MODELS[0].solo, PAIRS) == pytest.approx((0.444983, 0.521472), abs=1e-6)
    assert [round(retention(model.auc_solo, model.auc_coop) or 0, 2) for model in MODELS] == [
        0.64,
        0.60,
        0.46,
        0.63,
        0.68,
    ]
    assert round(retention(*AUC_POOLED) or 0, 2) == 0.59
    solo, coop = (area(list(CURVE), [pair[side] for pair in CURVE.values()]) for side in (0, 1))
    assert (solo, coop) == pytest.approx((0.3425, 0.1985))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai/gpt-5", "GPT-5"),
        ("gpt-5-2025-08-07", "GPT-5"),
        ("gpt-5-mini", None),
        ("anthropic/claude-sonnet-4-5-20250929", "Claude 4.5"),
        ("claude-sonnet-4", None),
        ("MiniMax-M2", "MiniMax-M2"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "Qwen3-Coder"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "Qwen3-Instruct"),
        ("gpt-4o", None),
    ],
)
def test_a_published_row_is_found_by_the_name_of_the_model(name: str, found: str | None) -> None:
    model = published_model(name)
    assert (model.name if model else None) == found


def test_the_gap_of_two_models(tmp_path: Path) -> None:
    for model, solo, coop in (("gpt-5", "111100", "110000"), ("mine", "110000", "100000")):
        write_run(tmp_path, f"{model}-solo", outcomes(solo), RunFacts(Setting.SOLO, model=model))
        write_run(tmp_path, f"{model}-coop", outcomes(coop), RunFacts(model=model))
    made = report(tmp_path, "gpt-5-solo", "gpt-5-coop", "mine-solo", "mine-coop")
    first, second, every = made["solo-coop"]
    assert (first["model"], first["solo"], first["coop"]) == ("gpt-5", pytest.approx(4 / 6), pytest.approx(2 / 6))
    assert first["relative loss"] == pytest.approx(0.5)
    assert (first["published solo"], first["published gap"]) == ("48.3 % (315/652)", "+20.2")
    assert (second["gap"], second["published solo"]) == (pytest.approx(1 / 6), "-")
    assert (every["groups"], every["solo"], every["published gap"]) == (12, 0.5, "+14.8")
    assert [(row["difficulty"], row["episodes"], row["solo"], row["coop"]) for row in made["difficulty"]] == [
        (0.05, 4, 1, 0.75),
        (0.55, 4, 0.5, 0),
        (0.95, 4, 0, 0),
    ]
    gpt, _, pooled = made["auc"]
    assert pooled["solo"] == pytest.approx(0.5 * (1 + 0.5) / 2 + 0.4 * 0.5 / 2)
    assert gpt["solo"] == pytest.approx(0.5 + 0.4 / 2)
    assert gpt["published retention"] == "0.64"


def test_messages_and_team_sizes(tmp_path: Path) -> None:
    talk = ("I change src/shelf.py:12", "ok")
    write_run(
        tmp_path,
        "teams",
        [Made(1, (1, 2), messages=talk), Made(1, (1, 2, 3), passes=False), Made(2, (1, 2, 3))],
    )
    made = report(tmp_path, "teams")
    [communication] = made["communication"]
    assert (communication["messages"], communication["name a file"], communication["name a line"]) == (2, 0.5, 0.5)
    assert communication["of all actions"] == pytest.approx(2 / 80)
    two, three = made["team-size"]
    assert (two["features"], two["all pass"], three["features"], three["all pass"]) == (2, 1, 3, 0.5)
    assert "solo-coop" not in made


def test_without_solo_runs_it_says_what_is_needed(tmp_path: Path) -> None:
    write_run(tmp_path, "coop", [Made()])
    said = cooperbench("report", "coop", "--paper", "--log-dir", str(tmp_path))
    assert said.out.startswith("No model has a solo and a coop run: the tables of the gap need both.")


def test_runs_that_are_not_comparable_make_no_gap(tmp_path: Path) -> None:
    write_run(tmp_path, "solo", [Made()], RunFacts(Setting.SOLO, steps=10))
    write_run(tmp_path, "coop", [Made()])
    said = cooperbench("report", "solo", "coop", "--paper", "--log-dir", str(tmp_path))
    assert said.code == 2
    assert "solo and coop cannot be compared: steps per member 10 against 100" in said.err
