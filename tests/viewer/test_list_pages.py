"""Lists of runs and groups, comparisons, search and notes in a real browser: from the server, and opened from disk."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.records import Ending, EpisodeStatus, RunDirectory
from cooperbench.records.labels import read_labels
from tests.analysis.recorded import CONFLICT, FAILED, PASSED, Recorded, record_run
from tests.command_line import PROGRAM, cooperbench
from tests.viewer.browser import Browser
from tests.viewer.serving import Served, serving

pytestmark = [pytest.mark.needs("browser"), pytest.mark.slow, pytest.mark.xdist_group("browser")]

HOSTILE = "<img src=x onerror=alert(1)>&'\"\u202e%2f..#?"
HIDDEN = "return [...document.querySelectorAll('script:not(body > script), iframe, img, object')].length"


def episodes(*, second: bool = False) -> list[Recorded]:
    """Groups with every kind of outcome. The second run differs in two of them, and lacks the last."""
    told = ("agent1", "agent2", "I take the parser, <b>you</b> take the tests. Zebra\u202e!")
    found = [
        Recorded(features=(1, 2), cost=0.3, messages=(told,)),
        Recorded(features=(1, 3), cost=0.9, outcomes=(PASSED, FAILED), reasons={3: "tests/test_3.py failed"}),
        Recorded(
            features=(2, 3), cost=0.1, outcomes=(CONFLICT, CONFLICT), conflicts=("src/a.py",), reasons={2: HOSTILE}
        ),
        Recorded(features=(1, 2), repo="other_task", cost=None, endings=(Ending.LIMIT, Ending.SUBMITTED), repeat=1),
        Recorded(features=(1, 2), repo="other_task", repeat=2, outcomes=(FAILED, PASSED)),
        Recorded(features=(1, 10), repo="other_task", task_id=10, status=EpisodeStatus.INFRA_ERROR),
    ]
    return [Recorded(features=(1, 2)), *found[1:2], Recorded(features=(2, 3)), *found[3:5]] if second else found


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs = tmp_path_factory.mktemp("logs")
    record_run(logs, "first", episodes(), model="model-a")
    record_run(logs, "second", episodes(second=True), model="model-b")
    shutil.copytree(logs / "first", logs / HOSTILE.replace("/", ""))
    return logs


@pytest.fixture(scope="module")
def served(logs: Path) -> Iterator[Served]:
    with serving(logs) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_goes_wrong(browser: Browser) -> Iterator[None]:
    """No console message, no element that a text made, and nothing asked for elsewhere, whatever a test does."""
    yield
    assert browser.run(HIDDEN) == 0
    assert browser.console() == []
    for url in browser.requests():
        assert url.startswith(("file:", "about:", "http://127.0.0.1:")), url


def column(browser: Browser, number: int) -> list[str]:
    return browser.texts(f"tbody tr td:nth-child({number})")


def click_text(browser: Browser, selector: str, text: str) -> None:
    browser.run(
        "[...document.querySelectorAll(arguments[0])].find((each) => each.textContent.includes(arguments[1])).click()",
        selector,
        text,
    )
    browser.settle()


def type_into(browser: Browser, selector: str, text: str) -> None:
    script = """const field = document.querySelector(arguments[0]); field.focus(); field.value = arguments[1];
    field.dispatchEvent(new Event("input", {bubbles: true}));"""
    browser.run(script, selector, text)
    browser.settle()


def test_runs_are_listed_and_filtered(browser: Browser, served: Served) -> None:
    browser.open(served.root)
    assert browser.text("h1") == "3 runs"
    assert {name for name in column(browser, 2) if "first" in name or "second" in name} == {"first", "second"}
    assert any("onerror" in name and "‹202e›" in name for name in column(browser, 2))
    type_into(browser, ".words input", "model-b")
    assert column(browser, 2) == ["second"]
    type_into(browser, ".words input", "")
    for name in ("first", "second"):
        browser.click(f'input[aria-label="compare {name}"]')
    assert browser.texts(".button") == ["Compare first with second →"]


def test_groups_are_sorted_and_filtered(browser: Browser, served: Served) -> None:
    browser.open(served.root + "data/first/index.html")
    assert column(browser, 1) == ["passed", "tests failed", "merge conflict", "passed", "tests failed", "infra error"]
    click_text(browser, "th button", "cost")
    costs = column(browser, len(browser.texts("thead th")) - 1)
    assert costs == ["$1.80", "$1.00", "$1.00", "$0.600", "$0.200", "–"]
    click_text(browser, "th button", "cost")
    assert column(browser, len(browser.texts("thead th")) - 1)[-1] == "–"
    assert browser.run("return location.hash") == "#sort=cost"
    click_text(browser, ".chips button", "tests failed")
    click_text(browser, ".chips button", "merge conflict")
    assert sorted(column(browser, 1)) == ["merge conflict", "tests failed", "tests failed"]
    click_text(browser, ".chips button", "conflicts")
    assert [text for text in column(browser, 6) if text] == ["a.py"]
    assert "onerror" in column(browser, 5)[0]
    browser.driver.refresh()
    browser.wait("return document.documentElement.dataset.ready")
    assert column(browser, 1) == ["merge conflict"]
    assert browser.text(".count") == "1 of 6 groups"
    type_into(browser, ".words input", "no such group")
    assert browser.text(".nothing") == "No group passes the filters."


def test_the_grid_has_a_square_for_each_group(browser: Browser, served: Served) -> None:
    browser.open(served.root + "data/first/index.html")
    click_text(browser, ".switch button", "grid")
    assert browser.texts(".matrix tbody th") == ["other #1", "other #10", "shelfdb #1"]
    assert browser.count(".square a") == 6
    assert browser.count(".square:has(a + a)") == 1
    assert [text.replace("\n", "+") for text in browser.texts(".matrix thead th")[1:-1]] == [
        "1+2",
        "1+3",
        "1+10",
        "2+3",
    ]
    assert browser.texts(".matrix td.sum") == ["1/2", "", "1/3"]
    click_text(browser, ".chips button", "passed")
    assert browser.count(".square a.dim") == 4
    browser.click('.square a[aria-label="shelfdb_task/1/f2_f3: merge conflict"]')
    browser.wait("return document.querySelector('h1')?.textContent.includes('conflict')")
    assert browser.run("return location.pathname").endswith("/data/first/shelfdb_task/1/f2_f3.html")
    browser.click(".crumbs a")
    browser.wait("return document.querySelector('h1')?.textContent.trim() === 'first'")


def test_a_search_leads_to_the_message(browser: Browser, served: Served) -> None:
    browser.open(served.root)
    type_into(browser, "nav .search input", "zebra")
    browser.wait("return document.querySelectorAll('.results mark').length")
    assert browser.texts(".results mark") == ["Zebra", "Zebra"]  # of the copy, too
    assert "<b>you</b>" in browser.texts(".results a span")[0]
    browser.run("document.querySelector('.results a[href*=\"/first/\"]').click()")
    browser.wait("return location.hash === '#message.1' && document.querySelector('.msg.on')")
    assert "‹202e›" in browser.text(".msg.on p")


def test_a_note_is_saved_and_shown(browser: Browser, served: Served, logs: Path) -> None:
    browser.open(served.root + "data/second/shelfdb_task/1/f1_f3.html")
    browser.click(".note-open")
    type_into(browser, ".note-form textarea", "Nobody looked at the parser.")
    type_into(browser, ".note-form input", "ann")
    click_text(browser, ".note-form button", "Save")
    browser.wait("return document.querySelector('.note-form [role=status]').textContent === 'Saved.'")
    [label] = read_labels(RunDirectory(logs / "second"))
    assert (label.episode, label.comment, label.labeller) == (
        "shelfdb_task/1/f1_f3",
        "Nobody looked at the parser.",
        "ann",
    )
    assert not (logs / "first" / "labels.jsonl").exists()


def test_two_runs_side_by_side(browser: Browser, served: Served) -> None:
    browser.open(served.root + "versus/first/second/index.html", scheme="dark")
    assert [text.replace("\n", " ") for text in browser.texts(".chips button")] == [
        "only the second passes 1",
        "same failure 2",
        "both pass 2",
        "in one run only 1",
    ]
    click_text(browser, ".chips button", "only the second passes")
    assert column(browser, 2) == ["merge conflict"]
    assert column(browser, 3) == ["passed"]
    browser.run("document.querySelector('tbody td a').click()")
    browser.wait("return document.body.dataset.view === 'compare' && document.querySelector('h1')")
    assert len(browser.texts("h1")) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lists_are_accessible_and_fit(browser: Browser, served: Served, scheme: str) -> None:
    for path in ("", "data/first/index.html", "data/first/index.html#view=grid", "versus/first/second/index.html"):
        for width in (1440, 800):
            browser.open(served.root + path, scheme=scheme, width=width)
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), (path, width)
        assert browser.violations() == [], path


@pytest.mark.needs("sandbox")
def test_a_run_that_goes_on_is_followed(browser: Browser, tmp_path: Path) -> None:
    """The table, the grid and an open episode change while a real run works, and nobody loads them again."""
    wait = {"tool_calls": [{"name": "bash", "arguments": {"command": "sleep 2; echo here >> work.txt"}}]}
    done = {"tool_calls": [{"name": "submit", "arguments": {}}]}
    turns = [wait, wait, wait, done]
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"members": {"agent1": turns, "agent2": turns}}))
    logs = tmp_path / "logs"
    command = [PROGRAM, "run", "-n", "live", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "--no-auto-eval"]
    command += ["--backend", "local", "-m", f"scripted/{script}", "--log-dir", str(logs)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            while not (logs / "live" / "config.json").exists():
                assert run.poll() is None
            with serving(logs, "live") as server:
                _follow(browser, server)
                assert run.wait(60) == 0
                browser.wait("return document.querySelector('h1').textContent.includes('Not judged')")
        finally:
            run.kill()


def _follow(browser: Browser, server: Served) -> None:
    browser.open(server.first)
    browser.wait("return document.querySelector('.outcome')?.textContent === 'running'")
    assert browser.text(".live") == "running"
    click_text(browser, ".switch button", "grid")
    assert browser.count(".square a.running") == 1
    browser.run("window.sameDocument = true; document.querySelector('.square a').click()")
    browser.wait("return document.body.dataset.view === 'episode' && document.querySelectorAll('.step').length > 0")
    browser.run("window.sameDocument = true")
    before = browser.count(".step")
    browser.wait(f"return document.querySelectorAll('.step').length > {before}")
    # The lanes go on as long as the steps do.
    browser.wait("return [...document.querySelectorAll('.tick')].some((tick) => parseFloat(tick.textContent) > 2)")
    assert browser.run("return window.sameDocument")


def test_a_folder_opens_from_disk(browser: Browser, logs: Path, tmp_path: Path) -> None:
    said = cooperbench("view", "first", "second", "--export", str(tmp_path / "out"), "--log-dir", str(logs))
    assert said.code == 0
    browser.open(tmp_path / "out" / "index.html")
    assert browser.text("h1") == "2 runs"
    assert browser.count("nav .search") == 0
    browser.run("document.querySelector('a[href*=\"data/first\"]').click()")
    browser.wait("return document.querySelectorAll('tbody tr').length === 6")
    click_text(browser, "tbody a", "f1 + f3")
    browser.wait("return document.body.dataset.view === 'episode' && document.querySelector('h1')")
    assert browser.count(".note-open") == 0
    browser.click(".crumbs a")
    browser.wait("return document.querySelectorAll('tbody tr').length === 6")
    browser.open(tmp_path / "out" / "versus" / "first" / "second" / "index.html")
    assert browser.count("tbody td:first-child a") == 1  # only what differs has a page
    browser.run("document.querySelector('tbody td a').click()")
    browser.wait("return document.body.dataset.view === 'compare' && document.querySelector('h1')")
    assert all(url.startswith(("file:", "about:")) for url in browser.requests())


def test_a_single_run_is_the_first_page(browser: Browser, logs: Path, tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    said = cooperbench("runs", "export", name, str(tmp_path / "out"), "--html", "--log-dir", str(logs))
    assert said.code == 0
    browser.open(tmp_path / "out" / "index.html")
    assert browser.count("tbody tr") == 6
    assert "onerror" in browser.text("h1")
    click_text(browser, "tbody a", "f1 + f2")
    browser.wait("return document.body.dataset.view === 'episode' && document.querySelector('h1')")
    assert "%3Cimg%20src%3Dx%20onerror" in browser.run("return location.href")
    browser.click(".crumbs a")
    browser.wait("return document.querySelectorAll('tbody tr').length === 6")


def test_what_exists_is_not_written_over(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    for arguments in (
        ("view", "first", "shelfdb_task/1/f1_f2", "--export", str(tmp_path / "mine.html")),
        ("view", "first", "--export", str(tmp_path / "out")),
        ("view", "first", "--export", str(tmp_path / "new.html")),
        ("view", "first", "shelfdb_task/1/f1_f2", "--export", str(tmp_path / "folder")),
        ("runs", "export", "first", str(tmp_path / "out"), "--html"),
    ):
        said = cooperbench(*arguments, "--log-dir", str(logs))
        assert said.code == 2
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.html", "out"}
    said = cooperbench(
        "view", "first", "shelfdb_task/1/f1_f2", "--export", str(tmp_path / "new.html"), "--log-dir", str(logs)
    )
    assert said.code == 0
    assert said.out.startswith(f"{tmp_path / 'new.html'}: shelfdb_task/1/f1_f2 of first, ")
