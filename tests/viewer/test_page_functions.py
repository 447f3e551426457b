"""The parts of the page's scripts that know nothing of the screen, run in the browser."""

from pathlib import Path
from typing import Any

import pytest

from cooperbench.viewer import export_episode
from tests.viewer.browser import Browser
from tests.viewer.made_episodes import made_run

pytestmark = [pytest.mark.needs("browser"), pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module", autouse=True)
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("functions")
    run = made_run(folder / "logs", "made", members=3, steps=30, messages=10, failing=True)
    made = export_episode(run, run.episodes[0], folder / "made.html")
    browser.open(made)
    return made


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("seconds(0.0004)", "1 ms"),
        ("seconds(0)", "0 ms"),
        ("seconds(2.345)", "2.3 s"),
        ("seconds(61)", "61 s"),
        ("seconds(605)", "10 min 5 s"),
        ("seconds(7260)", "2 h 1 min"),
        ("seconds(null)", "–"),
        ("moment(7.25)", "7.3 s"),
        ("moment(725)", "12:05"),
        ("moment(3753)", "1:02:33"),
        ("money(0.001)", "$0.0010"),
        ("money(12.5)", "$12.50"),
        ("tokens(999)", "999"),
        ("tokens(12345)", "12.3k"),
        ("plural(1, 'push', 'pushes')", "1 push"),
        ("plural(2, 'push', 'pushes')", "2 pushes"),
        ("list(['a', 'b', 'c'])", "a, b and c"),
        (r"visible('a\u202eb\r\nc\td\u0000')", "a‹202e›b\nc\td‹0000›"),
        (r"ansi('a\u001b[1;31mb\u001b[0mc\u001b]8;;x\u0007d')", [["", "a"], ["a-bold a-1", "b"], ["", "c"], ["", "d"]]),
        (r"parseHunks('@@ -3,2 +3,2 @@ def f():\n a\n-b\n+c\n').map((hunk) => [hunk.title, hunk.lines.map((l) => [l.kind, l.old, l.new])])",
         [["def f():", [[" ", 3, 3], ["-", 4, None], ["+", None, 4]]]]),
        ("neighbour([{t0: 1}, {t0: 5}], {t0: 3}, 1).t0", 5),
        ("neighbour([{t0: 1}, {t0: 5}], {t0: 3}, -1).t0", 1),
        ("neighbour([], null, 1)", None),
        (r"fence('a ``` b')", "````\na ``` b\n````"),
    ],
)  # fmt: skip
def test_values_in_words(browser: Browser, call: str, value: Any) -> None:
    assert browser.run(f"return {call}") == value


@pytest.mark.parametrize("mode", ["even", "clock"])
@pytest.mark.parametrize("width", [400, 1200, 40_000])
def test_time_never_runs_backwards_on_the_screen(browser: Browser, mode: str, width: int) -> None:
    problem = browser.run(
        """const [mode, width] = arguments;
        const part = document.getElementById("part-page").textContent;
        return unpack(part).then((page) => {
          const picture = buildPicture(page), {x, timeAt} = makeScale(picture, width, mode), end = picture.page.end;
          const places = picture.moments.map(x);
          if (places.some((place, i) => i && place < places[i - 1] - 1e-6)) return "backwards";
          if (places[0] < EDGE - 1e-6 || places.at(-1) > width - EDGE + 1e-6) return "outside";
          for (const t of picture.moments) if (Math.abs(x(timeAt(x(t))) - x(t)) > 0.01) return `not there and back: ${t}`;
          const ticks = axisTicks({x, timeAt}, EDGE, width, end).map(({t}) => t);
          return ticks.length > 1 && ticks.every((t, i) => !i || t > ticks[i - 1]) ? "" : `ticks ${ticks}`;
        });""",
        mode,
        width,
    )
    assert problem == ""
