"""`cooperbench report` on runs with known outcomes: the tables are exactly what was written."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cooperbench.records import Setting
from tests.analysis.made_runs import Made, RunFacts, write_run
from tests.command_line import Said, cooperbench

SOLO = RunFacts(Setting.SOLO)


def pairs(task: int, *kinds: str, repo: str = "shelf_task", repeat: int = 1) -> list[Made]:
    """Make an episode for each word: pass, fail, union (a conflict that a union merge resolves), conflict, or a state."""
    made = []
    for number, kind in enumerate(kinds, 2):
        naive = "conflict" if kind in ("union", "conflict") else "clean" if kind in ("pass", "fail", "weak") else kind
        made.append(
            Made(
                task,
                (1, number),
                naive,
                passes=kind == "pass",
                union=kind == "union",
                capable=kind != "weak",
                repo=repo,
                repeat=repeat,
                messages=("I take src/shelf.py", "Fine, line 12 is mine.") if kind == "pass" else (),
            )
        )
    return made


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("logs")
    coop = [
        *pairs(1, "pass", "pass", "fail", "union"),
        *pairs(2, "conflict", "weak", "pass"),
        *pairs(1, "union", "new", repo="ledger_task"),
        *pairs(2, "infra_error", "unjudged", repo="ledger_task"),
    ]
    write_run(place, "coop", coop)
    solo = [Made(each.task, each.features, repo=each.repo, passes=each.features != (1, 4)) for each in coop]
    write_run(place, "solo", solo, SOLO)
    write_run(
        place, "thrice", [made for n in (1, 2, 3) for made in pairs(1, *("pass",) * n, *("fail",) * (3 - n), repeat=n)]
    )
    write_run(place, "one", pairs(1, "pass", "fail", "pass"))
    return place


def report(logs: Path, *words: str) -> Said:
    return cooperbench("report", *words, "--log-dir", str(logs))


def tables(said: Said) -> dict[str, list[dict[str, Any]]]:
    assert said.code == 0, said.err
    return {table["key"]: table["rows"] for table in json.loads(said.out)["tables"]}


def test_rates_carry_pools_intervals_and_what_is_missing(logs: Path) -> None:
    made = tables(report(logs, "coop", "solo", "--format", "json"))
    coop, solo = made["rates"]
    assert (coop["groups"], coop["of"], coop["pools"], coop["passed"]) == (8, 11, 3, 3)
    assert coop["rate"] == pytest.approx(3 / 8)
    low, high = coop["95 % interval"]
    assert low < coop["if independent"][0] < 3 / 8 < coop["if independent"][1] < high
    assert (solo["groups"], solo["of"], solo["passed"]) == (11, 11, 9)
    coop = made["missing"][0]
    assert coop["missing because"] == "1 not run, 1 infra error, 1 not judged"
    assert (coop["worst"], coop["best"]) == (pytest.approx(3 / 11), pytest.approx(6 / 11))
    assert coop["missing as failed"] == pytest.approx(3 / 11)


def test_outcomes_and_stages_are_those_that_were_written(logs: Path) -> None:
    made = tables(report(logs, "coop", "solo", "--format", "json"))
    outcomes = made["outcomes"][0]
    assert [outcomes[name] for name in ("passed", "tests failed", "merge conflict", "no verdict", "episodes")] == [
        3,
        2,
        3,
        3,
        11,
    ]
    [conflicts] = made["conflicts"]
    assert (conflicts["run"], conflicts["count"], conflicts["groups"], conflicts["of"]) == ("coop", 3, 8, 11)
    naive, union = made["stages"]
    assert (naive["share"], naive["count"], union["share"], union["count"]) == ("naive", 3, "union", 5)
    capable, of_capable, clean, conflict = made["capability"]
    assert (capable["count"], capable["groups"]) == (7, 8)
    assert (of_capable["count"], of_capable["groups"]) == (3, 7)
    assert (clean["count"], clean["groups"]) == (3, 4)
    assert (conflict["count"], conflict["groups"]) == (0, 3)


def test_effort_counts_what_ran(logs: Path) -> None:
    made = tables(report(logs, "coop", "--format", "json"))
    [cost] = made["cost"]
    assert (cost["episodes"], cost["cost unknown"], cost["cost"], cost["per episode"]) == (10, 0, 10.0, 1.0)
    assert (cost["steps"], cost["input tokens"], cost["agent time"]) == (20, 2000, 120)
    assert cost["passes per dollar"] == pytest.approx(3 / 8)
    [messages] = made["messages"]
    assert (messages["messages"], messages["silent episodes"]) == (6, 7)
    assert messages["achieved concurrency"] == pytest.approx(10 * 60 / (60 + 10 * 30), rel=0.1)


def test_an_unknown_cost_stays_unknown(tmp_path: Path) -> None:
    write_run(tmp_path, "unpriced", [Made(features=(1, 2)), Made(features=(1, 3), cost=None)])
    [cost] = tables(report(tmp_path, "unpriced", "--format", "json"))["cost"]
    assert (cost["cost unknown"], cost["cost"], cost["passes per dollar"]) == (1, None, None)


def test_repeats_are_averaged_first(logs: Path) -> None:
    made = tables(report(logs, "thrice", "--format", "json"))
    [rates] = made["rates"]
    assert (rates["groups"], rates["passed"]) == (3, 2)
    assert rates["rate"] == pytest.approx(2 / 3)
    first, second, third = made["repeats"]
    assert (first["pass@k"], third["pass@k"]) == (pytest.approx(2 / 3), 1)
    assert (second["pass^k"], third["pass^k"]) == (pytest.approx((1 + 1 / 3 + 0) / 3), pytest.approx(1 / 3))


def test_one_pool_is_named(logs: Path) -> None:
    said = report(logs, "one", "--table", "rates")
    assert "plain Wilson" in said.out
    assert "one pool: no interval that knows about pools is possible" in said.out


def test_a_table_says_what_it_is_of(logs: Path) -> None:
    said = report(logs, "coop", "thrice")
    for text in (
        "coop: coop, policy naive@1, 2 x scripted:openai/gpt-5, backend local, data made at aaaaaaaaaaaa",
        "1 image digest, 1 attempt per group, 8 of 11 episodes judged",
        "3 attempts per group, 9 of 9 episodes judged",
        "of coop (coop, naive@1); thrice (coop, naive@1); intervals: 95 % cluster Wilson or plain Wilson",
    ):
        assert text in said.out


def test_divided_by(logs: Path) -> None:
    by_repo = tables(report(logs, "coop", "--by", "repo", "--format", "json"))["rates"]
    assert [(row["repo"], row["groups"], row["of"]) for row in by_repo] == [("ledger_task", 1, 4), ("shelf_task", 7, 7)]
    by_task = tables(report(logs, "coop", "--by", "task", "--format", "json"))["rates"]
    assert [row["task"] for row in by_task] == ["ledger_task/1", "ledger_task/2", "shelf_task/1", "shelf_task/2"]
    assert by_task[1]["rate"] is None
    for name in ("model", "language", "size", "setting"):
        rows = tables(report(logs, "coop", "solo", "--by", name, "--format", "json"))["rates"]
        assert name in rows[0]


def test_another_policy(logs: Path) -> None:
    [rates] = tables(report(logs, "coop", "--policy", "union", "--format", "json"))["rates"]
    assert rates["passed"] == 5
    assert "policy union@1" in report(logs, "coop", "--policy", "union").out


def test_formats(logs: Path, tmp_path: Path) -> None:
    lines = report(logs, "coop", "--format", "csv", "--table", "rates").out.splitlines()
    data = "\n".join(line for line in lines if not line.startswith("#"))
    [row] = csv.DictReader(io.StringIO(data))
    assert (row["run"], row["passed"], float(row["rate"])) == ("coop", "3.0", 0.375)
    assert float(row["95 % interval low"]) < 0.375 < float(row["95 % interval high"])
    assert any("policy naive@1" in line for line in lines)
    markdown = report(logs, "coop", "--format", "md").out
    assert "| coop | 8 | 11 | 3 | 3 | 37.5 % |" in markdown
    latex = report(logs, "coop", "--format", "latex", "--table", "rates").out
    assert r"coop & 8 & 11 & 3 & 3 & 37.5 \% &" in latex
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 1
    page = report(logs, "coop", "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert page.count("<table>") == page.count("</table>") == 8
    target = tmp_path / "out" / "rates.tex"
    assert (
        report(logs, "coop", "--format", "latex", "-o", str(target), "--table", "rates").out == f"written: {target}\n"
    )
    assert target.read_text() == latex


def test_names_cannot_break_a_format(tmp_path: Path) -> None:
    write_run(tmp_path, "odd", [Made()], RunFacts(model="a|b_<c>&%$#{}~^\\"))
    assert r"a|b\_\textless{}c\textgreater{}\&\%\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}" in (
        report(tmp_path, "odd", "--by", "model", "--format", "latex").out
    )
    assert "a\\|b_<c>" in report(tmp_path, "odd", "--by", "model", "--format", "md").out
    assert "a|b_&lt;c&gt;&amp;" in report(tmp_path, "odd", "--by", "model", "--format", "html").out


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["nobody"], "unknown run 'nobody'", "cooperbench runs list"),
        (["coop", "--policy", "best"], "unknown policy 'best'", "cooperbench eval -n coop --policy NAME"),
        (["empty"], "run empty has no episodes", "cooperbench runs list"),
        (
            ["unjudged"],
            "run unjudged has no verdict under naive@1; its episodes are: finished, new",
            "cooperbench eval",
        ),
        (["unknown-data"], "run unknown-data does not say which data it is of", "run it again"),
        (["half"], "config.json is not a readable RunConfig", ""),
        (["coop", "--table", "rate"], "unknown table 'rate'; did you mean 'rates'", ""),
        (["coop", "--paper", "--by", "repo"], "--paper and --by exclude each other", "omit one"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_one_line_and_what_to_do(tmp_path: Path, words: list[str], message: str, hint: str) -> None:
    write_run(tmp_path, "coop", [Made()])
    write_run(tmp_path, "empty", [])
    write_run(tmp_path, "unjudged", [Made(naive="unjudged"), Made(naive="new", features=(1, 3))])
    write_run(tmp_path, "unknown-data", [Made()], RunFacts(revision=None))
    half = write_run(tmp_path, "half", [Made()])
    half.config.write_bytes(half.config.read_bytes()[:200])
    said = report(tmp_path, *words)
    assert said.code in (1, 2)
    assert message in said.err
    assert hint in said.err
    assert not said.out


def test_a_broken_episode_is_counted_and_not_hidden(tmp_path: Path) -> None:
    run = write_run(tmp_path, "coop", [Made(), Made(features=(1, 3))])
    broken = run.episode(Setting.COOP, Made(features=(1, 3)).key).result
    broken.write_bytes(broken.read_bytes()[:50])
    [missing] = tables(report(tmp_path, "coop", "--format", "json"))["missing"]
    assert missing["missing because"] == "1 unreadable"
    assert (missing["judged"], missing["planned"]) == (1, 2)


def test_without_the_extra(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("cooperbench.analysis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    said = report(logs, "coop")
    assert (said.code, said.out) == (2, "")
    assert "needs the extra 'analysis'" in said.err
    assert "[analysis]" in said.err.splitlines()[1]
