"""The page of an episode in a real browser, opened from disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cooperbench.records import RunDirectory
from cooperbench.records.labels import Label, LabelKind, add_labels
from cooperbench.viewer import export_comparison, export_episode
from tests.viewer.browser import ENTER, ESCAPE, Browser
from tests.viewer.made_episodes import made_run

pytestmark = [pytest.mark.needs("browser"), pytest.mark.slow, pytest.mark.xdist_group("browser")]


class Pages(NamedTuple):
    """Files of pages."""

    broken: Path
    """Four members, clean merge, one feature fails; the fourth member reaches a limit."""
    conflict: Path
    comparison: Path


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("pages")
    broken = made_run(folder / "logs", "broken", members=4, steps=25, messages=14, failing=True)
    conflict = made_run(folder / "logs", "conflict", members=2, steps=12, messages=0, conflict=True)
    other = made_run(folder / "logs", "other", members=2, steps=12, messages=2)
    return Pages(
        export_episode(broken, broken.episodes[0], folder / "broken.html"),
        export_episode(conflict, conflict.episodes[0], folder / "conflict.html"),
        export_comparison((conflict, conflict.episodes[0]), (other, other.episodes[0]), folder / "both.html"),
    )


@pytest.fixture(autouse=True)
def nothing_goes_wrong(browser: Browser) -> Iterator[None]:
    """No console message, and nothing asked for but the file itself, whatever a test does."""
    yield
    assert browser.console() == []
    assert {url.split(":")[0] for url in browser.requests()} <= {"file", "about"}


def selected(browser: Browser) -> str:
    return str(browser.run("return decodeURIComponent(location.hash.slice(1))"))


def test_it_opens_on_the_reason(browser: Browser, pages: Pages) -> None:
    browser.open(pages.broken)
    assert browser.text("h1") == "Merges, but breaks"
    assert "feature 4 fails 1 of 24 hidden tests" in browser.text(".reason")
    assert browser.text(".detail h2") == "Tests of feature 4"
    assert browser.texts(".matrix tbody th") == ["each alone", "naivecounts", "union"]
    browser.open(pages.conflict)
    assert browser.text(".detail h2") == "Merge: naive"
    assert "cli.py in conflict, no tests ran" in browser.text(".suite.conflict text")


def test_lanes_show_members_messages_and_the_remote(browser: Browser, pages: Pages) -> None:
    browser.open(pages.broken)
    assert [name.split("\n")[0] for name in browser.texts(".lane-name")][-2:] == ["git remote", "merge + tests"]
    assert browser.count(".lane-name") == 6
    assert browser.count(".step") > 40
    assert browser.count(".message") == 14
    assert browser.count(".message.refused") == 2
    assert browser.count(".message.lost:not(.refused)") == 2
    assert browser.count(".git .commit") > 0
    assert browser.count(".mark-sign") == 1
    assert browser.count(".node.pass") == 1


def test_a_click_opens_a_step_with_its_texts(browser: Browser, pages: Pages) -> None:
    browser.open(pages.broken.as_uri() + "#agent2.3")
    assert selected(browser) == "agent2.3"
    browser.wait("return document.querySelector('.detail .output')")
    assert "step 3 of 25" in browser.text(".detail .card-head")
    assert "all 12 tests pass" in browser.texts(".detail .output")[1]
    browser.click(".raw button")
    assert '"role": "assistant"' in browser.texts(".raw .output")[0]
    browser.click(".raw button:nth-child(2)")
    assert int(browser.wait("return document.documentElement.dataset.copied")) > 100
    browser.click('.message[data-id="message.2"]')
    assert browser.text(".detail h2") == "Message 2"
    assert browser.count(".msg.on") == 1


def test_keys_go_through_steps_messages_and_failures(browser: Browser, pages: Pages) -> None:
    browser.open(pages.broken.as_uri() + "#agent1.1")
    browser.press("lll")
    assert selected(browser) == "agent1.4"
    browser.press("h")
    assert selected(browser) == "agent1.3"
    browser.press("n")
    first = selected(browser)
    browser.press("nN")
    assert first.startswith("message.")
    assert selected(browser) == first
    browser.press("f")
    assert browser.count(".detail .chip.fail, .detail .fail-text, .detail .tests, .detail .thought") > 0
    moments = []
    for _ in range(4):
        browser.press("j")
        moments.append(selected(browser))
    browser.press("kkkk")
    assert len(set(moments)) == 4
    browser.press("t")
    assert browser.text(".switch .on") == "Clock"
    width = "return document.querySelector('.track svg').clientWidth"
    before = browser.run(width)
    browser.press("++")
    assert browser.run(width) > 2 * before
    browser.press("0")
    assert browser.run(width) == before
    browser.press("?")
    assert browser.count("[role=dialog]") == 1
    browser.press(ESCAPE)
    assert browser.count("[role=dialog]") == 0


def test_failures_are_announced_when_there_are_none(browser: Browser, pages: Pages, tmp_path: Path) -> None:
    run = made_run(tmp_path, "fine", steps=0, messages=0)
    browser.open(export_episode(run, run.episodes[0], tmp_path / "fine.html"))
    browser.press("f")
    assert browser.text(".said") == "Nothing failed here."
    assert browser.text("h1") == "Passed"


def test_search_reads_everything_and_enter_goes_on(browser: Browser, pages: Pages) -> None:
    browser.open(pages.broken)
    browser.press("/")
    browser.press("# 7")  # the end of each member's eighth command
    hits = browser.wait(
        "const hits = document.querySelector('.hits'); return hits && !hits.textContent.includes('…') && hits.textContent"
    )
    assert hits == "4 hits"
    assert browser.count(".results mark") == 4
    assert browser.count(".dim") > 0
    seen = set()
    for _ in range(4):
        browser.press(ENTER)
        seen.add(selected(browser))
    assert seen == {f"agent{n}.8" for n in (1, 2, 3, 4)}
    browser.press(ESCAPE)
    assert browser.count(".dim") == 0


def test_dragging_and_zooming_move_the_picture(browser: Browser, pages: Pages) -> None:
    browser.open(pages.broken)
    browser.press("+++")
    browser.run("document.querySelector('.track').scrollLeft = 400")
    browser.run(
        """const track = document.querySelector('.track');
        const send = (type, x, buttons) => track.dispatchEvent(new PointerEvent(type, {clientX: x, clientY: 400, buttons, bubbles: true}));
        send('pointerdown', 800, 1); send('pointermove', 700, 1); send('pointerup', 700, 0);"""
    )
    assert browser.run("return document.querySelector('.track').scrollLeft") == 500


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_in_both_colours(browser: Browser, pages: Pages, scheme: str) -> None:
    backgrounds = {"light": "rgb(250, 250, 248)", "dark": "rgb(18, 19, 22)"}
    for page in pages:
        browser.open(page, scheme=scheme)
        browser.wait("return document.querySelector('.detail')")
        assert browser.run("return getComputedStyle(document.body).backgroundColor") == backgrounds[scheme]
        assert browser.violations() == []


@pytest.mark.parametrize("width", [360, 800])
def test_a_narrow_window_needs_no_sideways_scrolling(browser: Browser, pages: Pages, width: int) -> None:
    for page in pages:
        browser.open(page, width=width)
        assert browser.run("return document.documentElement.scrollWidth") <= width


def test_two_episodes_stand_side_by_side(browser: Browser, pages: Pages) -> None:
    browser.open(pages.comparison)
    browser.wait("return document.documentElement.dataset.compared")
    assert browser.texts("h1") == ["Merge conflict", "Passed"]
    assert browser.count(".lanes") == 2
    assert browser.count(".divergence") == 4
    assert "agent1 from step 1" in browser.text(".line[role=status]")
    browser.settle()
    assert browser.texts(".detail .card-head .muted")[0].startswith("step 1 of 12")
    browser.press("l")
    assert browser.texts(".detail .card-head .muted")[0].startswith("step 2 of 12")


def test_labels_stand_beside_what_they_are_about(browser: Browser, tmp_path: Path) -> None:
    run = made_run(tmp_path, "labelled", steps=4, messages=2)
    name = str(run.episodes[0].group)
    about: list[dict[str, object]] = [
        {"message": 1, "kind": LabelKind.SPEECH_ACT, "label": "plan"},
        # The history begins with two prompts; each step has an answer and a result.
        {
            "agent_id": "agent2",
            "step": 4,
            "kind": LabelKind.NOTE,
            "label": "note",
            "comment": "It looks in the wrong file.",
        },
        {"kind": LabelKind.SYMPTOM, "label": "no_coordination"},
    ]
    labels = tuple(Label.model_validate({"episode": name, "labeller": "reader", **each}) for each in about)
    add_labels(RunDirectory(run.directory), labels)
    page = export_episode(run, run.episodes[0], tmp_path / "labelled.html")
    browser.open(page.as_uri() + "#message.2")
    assert browser.text(".detail .labels").startswith("plan reader")
    assert browser.count("#labels li") == 3
    browser.click("#labels li:nth-child(2) a")
    assert selected(browser) == "agent2.2"
    assert "It looks in the wrong file." in browser.text(".detail .labels")
