"""Leaderboards of made bundles: ranks, tables that never mix, and the page in a real browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cooperbench.publishing.writing import bundle_digest, write_manifest
from cooperbench.records import RunConfig, Setting, read_model, utc_now, write_model
from cooperbench.records.published import Discrepancy, DiscrepancyKind, Verification
from tests.analysis.recorded import FAILED, PASSED, Recorded, record_run
from tests.command_line import Said, cooperbench
from tests.needs import need
from tests.viewer.browser import Browser

pytestmark = pytest.mark.slow

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m' onmouseover='x"


def episodes(passing: int, *, pools: int = 12, missing: int = 0) -> list[Recorded]:
    """Two groups in each of several pools; the first ones pass, and the last ones have no verdict."""
    found = []
    for number in range(2 * pools):
        outcomes = (PASSED, PASSED) if number < passing else (PASSED, FAILED)
        features = (1, 2) if number % 2 else (2, 3)
        judged = number < 2 * pools - missing
        found.append(Recorded(features=features, task_id=number // 2 + 1, outcomes=outcomes, judged=judged, cost=0.25))
    return found


def publish(place: Path, team: str, passing: int, *options: str, **more: Any) -> Path:
    """Write a bundle of a made run."""
    logs, name = place.parent / "logs" / team, more.pop("name", "run")
    recorded = {key: more.pop(key) for key in ("pools", "missing") if key in more}
    record_run(logs, name, episodes(passing, **recorded), model=f"model-of-{team}", **more)
    command = ("submit", name, "--out", str(place / team), "--team", team, "--log-dir", str(logs), *options)
    said = cooperbench(*command)
    assert said.code == 0, said.err
    return place / team


def verification(bundle: Path, team: str, *discrepancies: Discrepancy, judged: int = 24) -> Verification:
    return Verification(
        bundle=bundle_digest(bundle),
        team=team,
        cooperbench="0",
        evaluator="made",
        backend="local",
        episodes=24,
        judged=judged,
        tests=48,
        discrepancies=discrepancies,
        checked_at=utc_now(),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Teams that differ by little and by much, one in another setting, one on other data, and two that are not as they say."""
    place = tmp_path_factory.mktemp("boards") / "bundles"
    for team, passing in (("strong", 23), ("stronger", 24), ("weak", 4)):
        bundle = publish(place, team, passing)
        if team != "weak":
            judged = 24 if team == "strong" else 10
            write_model(place / f"{team}.verification.json", verification(bundle, team, judged=judged))
    publish(place, "lacks", 24, "--incomplete", missing=12)
    publish(place, "alone", 24, setting=Setting.SOLO)
    publish(place, "other-data", 2, revision="sha256:other")
    publish(place, "few", 4, pools=2)
    hostile = publish(place, "hostile", 5)
    (hostile / "submission.json").write_text(
        (hostile / "submission.json").read_text().replace('"team": "hostile"', f'"team": {json.dumps(HOSTILE)}')
    )
    from cooperbench.publishing.card import dataset_card
    from cooperbench.records.published import PublishedResult

    statement = read_model(hostile / "submission.json", PublishedResult)
    (hostile / "README.md").write_text(dataset_card(statement))
    write_manifest(hostile)
    tampered = Path(shutil.copytree(place / "weak", place / "tampered"))
    (tampered / "rows.jsonl").write_text("")
    forged = publish(place, "forged", 23, name="forged")
    differs = Discrepancy(kind=DiscrepancyKind.VERDICT, place="forged made_task/1/f1_f2", detail=HOSTILE[:30])
    write_model(place / "forged.verification.json", verification(forged, "forged", differs))
    shutil.copytree(place / "weak", place / "weak-again")
    return place


@pytest.fixture(scope="module")
def said(folder: Path) -> Said:
    found = cooperbench("leaderboard", str(folder), "--out", str(folder.parent / "page.html"), "--json")
    assert found.code == 0, found.err
    return found


@pytest.fixture(scope="module")
def page(folder: Path, said: Said) -> Path:
    return folder.parent / "page.html"


def test_bundles_that_are_not_as_they_say_are_left_out_with_the_reason(said: Said) -> None:
    left_out = [line for line in said.err.splitlines() if line.startswith("left out: ")]
    assert [line.split(": ", 2)[1:] for line in left_out] == [
        ["forged", f"judged again, it differs: verdict: forged made_task/1/f1_f2: {HOSTILE[:30]}"],
        ["tampered", "changed file: rows.jsonl"],
        ["weak-again", "it is the same as weak"],
    ]


def test_ranks_differ_only_where_the_difference_is_significant(said: Said) -> None:
    boards = said.facts
    found = {
        (board["setting"], board["data_revision"], board["groups"]): [
            (entry["rank"], entry["team"], entry["verified"]) for entry in board["entries"]
        ]
        for board in boards
    }
    assert found == {
        ("coop", "sha256:data", 24): [
            (1, "stronger", True),
            (1, "strong", True),
            (1, "lacks", False),  # 6 pools that differ give a p of 1 in 32 at best, which 10 comparisons undo
            (3, HOSTILE, False),
            (3, "weak", False),
        ],
        ("solo", "sha256:data", 24): [(1, "alone", False)],
        ("coop", "sha256:other", 24): [(1, "other-data", False)],
        ("coop", "sha256:data", 4): [(1, "few", False)],
    }
    [lacks] = [each for board in boards for each in board["entries"] if each["team"] == "lacks"]
    assert (lacks["rate"], lacks["missing"]) == (0.5, 12)


def test_verdicts_of_other_policies_are_never_mixed(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "bundles"
    shutil.copytree(folder / "weak", place / "naive")
    logs = folder.parent / "logs" / "weak"
    shutil.copytree(logs, tmp_path / "logs")
    config = tmp_path / "logs/run/config.json"
    write_model(config, read_model(config, RunConfig).model_copy(update={"policy": "union@1"}))
    for path in (tmp_path / "logs").rglob("eval.json"):
        text = path.read_text()
        path.write_text(text.replace('"naive@1"', '"union@1"'))
    said = cooperbench("submit", "run", "--out", str(place / "union"), "--log-dir", str(tmp_path / "logs"))
    assert said.code == 0, said.err
    boards = cooperbench("leaderboard", str(place), "--out", str(tmp_path / "p.html"), "--json").facts
    assert [(board["policy"], len(board["entries"])) for board in boards] == [("naive@1", 1), ("union@1", 1)]


def test_a_folder_without_a_bundle_gets_one_line(tmp_path: Path) -> None:
    said = cooperbench("leaderboard", str(tmp_path), "--out", str(tmp_path / "page.html"))
    assert (said.code, f"{tmp_path} has no bundle to show" in said.err) == (2, True)
    (tmp_path / "a").mkdir()
    said = cooperbench("leaderboard", str(tmp_path), "--out", str(tmp_path / "page.html"))
    assert (said.code, "a: a is not a bundle: it has no manifest.json" in said.err) == (2, True)
    assert cooperbench("leaderboard", str(tmp_path / "none"), "--out", "page.html").code == 2
    assert not (tmp_path / "page.html").exists()


def test_texts_of_others_are_text(page: Path) -> None:
    text = page.read_text()
    assert "<script>alert" not in text
    assert not set("\x1b\u202e") & set(text)
    assert "default-src 'none'" in text
    assert "http://" not in text
    assert "https://" not in text


@pytest.fixture
def browser() -> Iterator[Browser]:
    need("browser")
    opened = Browser()
    yield opened
    opened.close()


@pytest.mark.needs("browser")
@pytest.mark.xdist_group("browser")
def test_the_page_in_a_browser(page: Path, browser: Browser) -> None:
    for scheme in ("light", "dark"):
        for width in (1440, 800):
            browser.open(page, scheme=scheme, width=width)
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
            assert browser.violations() == []
    first = "document.querySelector('table')"
    teams = f"return [...{first}.tBodies[0].rows].map((row) => row.cells[1].querySelector('b').textContent)"
    assert browser.run(teams)[:3] == ["stronger", "strong", "lacks"]
    browser.click("th:nth-child(2) button")
    by_name = browser.run(teams)
    assert [name for name in by_name if "script" not in name] == ["lacks", "strong", "stronger", "weak"]
    browser.click("th:nth-child(3) button")
    assert browser.run(teams)[-1] == "stronger"
    browser.click("th:nth-child(3) button")
    assert browser.run(teams)[0] == "stronger"
    assert browser.run(f"return {first}.querySelector('[aria-sort]').textContent") == "passed"
    assert browser.count("img, iframe") == 0
    assert browser.console() == []
    assert [address for address in browser.requests() if not address.startswith(("file:", "data:", "about:"))] == []
