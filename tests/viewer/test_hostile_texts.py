"""Texts of agents that try to do something in the page that shows them."""

from pathlib import Path

import pytest

from cooperbench.records import write_bytes
from cooperbench.viewer import export_episode
from tests.viewer.browser import Browser
from tests.viewer.made_episodes import made_run

pytestmark = [pytest.mark.needs("browser"), pytest.mark.slow, pytest.mark.xdist_group("browser")]

MARKUP = (
    "<script>window.owned = 1</script></script><script>window.owned = 2</script><!--<script>"
    "<img src=x onerror='window.owned = 3'><svg onload='window.owned = 4'></svg>"
    "<style>body { display: none }</style></style><iframe src='https://evil.example/'></iframe>"
    "<a href='javascript:window.owned = 5'>here</a>${window.owned = 6}`"
)
TERMINAL = "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example/\x07link\x1b]8;;\x07 \x1b[2J\x1b[1;1H \x1b]0;title\x1b\\ \x9b31m \x07"
REORDERED = "invoice_\u202egpj.exe \u2066hidden\u2069 zero\u200bwidth \U000e0041tag"
HOSTILE = f"{MARKUP}\n{TERMINAL}\n{REORDERED}\n"


def test_hostile_texts_are_shown_and_do_nothing(browser: Browser, tmp_path: Path) -> None:
    run = made_run(tmp_path / "logs", "hostile", steps=3, messages=3, text=HOSTILE + "y" * 10_000_000, failing=True)
    page = export_episode(run, run.episodes[0], tmp_path / "hostile.html")
    assert page.stat().st_size < 300_000
    browser.open(page.as_uri() + "#agent1.1")
    browser.wait("return document.querySelectorAll('.detail .output').length > 1")
    shown = browser.texts(".detail .output")[1]
    assert MARKUP in shown
    assert "‹202e›" in shown
    assert "red link" in shown
    assert "evil.example/\x07" not in shown
    assert "\x1b" not in shown
    assert "‹e0041›" in shown
    assert "cut after 10,000 characters" in browser.text(".detail .output:nth-of-type(2) .more, .detail .output .more")
    assert browser.texts(".detail .a-1") == ["red"]
    browser.press("/")
    browser.press("invoice")
    browser.wait("return document.querySelector('.results mark')")
    assert browser.run("return window.owned") is None
    assert browser.count("iframe, #page img, #page script, #page style") == 0
    assert browser.console() == []
    assert {url.split(":")[0] for url in browser.requests()} <= {"file", "about"}


@pytest.mark.parametrize("address", ["%zz", "nothing.1", "<script>"])
def test_addresses_that_name_nothing_are_left_alone(browser: Browser, tmp_path: Path, address: str) -> None:
    run = made_run(tmp_path / "logs", "small", steps=2, messages=0)
    page = export_episode(run, run.episodes[0], tmp_path / "small.html")
    browser.open(f"{page.as_uri()}#{address}")
    assert browser.count(".detail h2") == 1
    assert browser.console() == []


def test_files_that_cannot_be_read_are_named(browser: Browser, tmp_path: Path) -> None:
    run = made_run(tmp_path / "logs", "damaged", steps=2, messages=2)
    files = run.episodes[0].files
    write_bytes(files.trajectory("agent1"), b'{"messages": ["\xff\xfe"]}')
    write_bytes(files.conversation, b"\xff")
    browser.open(export_episode(run, run.episodes[0], tmp_path / "damaged.html"))
    assert "the trajectory of agent1" in browser.text(".unclear")
    assert "the conversation" in browser.text(".unclear")
    assert browser.count(".step") > 0
    assert browser.console() == []
