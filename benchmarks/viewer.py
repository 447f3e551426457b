"""How quickly a real browser shows runs, and how large exported pages are.

    python benchmarks/viewer.py

Needs Chromium with its driver, and selenium. Times are of the whole way: for a file from opening it, for the list from the request to a
server that has not read the run yet, until the page has drawn itself. The longest task is the longest time in which neither a key nor a
scroll was answered, while a page opens and while it is used. On a busy machine all of these are longer, so the processor time of the
page's thread stands beside them.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations, cycle
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cooperbench.records import Trajectory, write_model  # noqa: E402
from cooperbench.records.run_result import RunResult  # noqa: E402
from cooperbench.viewer import export_episode  # noqa: E402
from tests.analysis.recorded import CONFLICT, FAILED, PASSED, Recorded, record_run  # noqa: E402
from tests.viewer.browser import Browser  # noqa: E402
from tests.viewer.made_episodes import made_run  # noqa: E402
from tests.viewer.serving import serving  # noqa: E402

OUTPUT = 2_000
"""Characters of a command's output, each another piece of this repository: real outputs do not compress to nothing."""
LONG_TASKS = """window.longest = 0; new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({type: "longtask", buffered: true});"""
USE = """for (const part of document.querySelectorAll(".track, .talk ol")) part.scrollLeft = part.scrollTop = 400;
scrollTo(0, 800);"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        browser = Browser()
        try:
            print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
            print("what                                        measured   goal")
            _episode(
                browser, place, "4 members x 400 events", members=4, steps=200, messages=40, goal="opens", most=1.0
            )
            _episode(
                browser, place, "10,000 events", members=4, steps=1250, messages=400, goal="longest task", most=0.2
            )
            _list(browser, place)
            _size(place)
        finally:
            browser.close()


def _episode(
    browser: Browser, place: Path, name: str, *, members: int, steps: int, messages: int, goal: str, most: float
) -> None:
    run = made_run(
        place / "logs",
        name.replace(" ", "-").replace(",", ""),
        members=members,
        steps=steps,
        messages=messages,
        failing=True,
    )
    _real_outputs(run)
    page = export_episode(run, run.episodes[0], place / f"{name}.html")
    events = len(run.episodes[0].events())
    measured = {"opens": _open(browser, page.as_uri()), "processor time": _processor(browser)}
    time.sleep(1)
    measured["longest task"] = browser.run("return window.longest") / 1000
    for key in ("j", "j", "n", "f", "+", "+", "t", "l", "k"):
        browser.press(key)
    browser.run(USE)
    time.sleep(1)
    measured["longest task in use"] = browser.run("return window.longest") / 1000
    for what, seconds in measured.items():
        aim = f"{most:.2f} s" if what.startswith(goal) else ""
        print(f"{f'{name} ({events}), {what}':<42} {seconds:8.2f} s   {aim}")


def _open(browser: Browser, address: str) -> float:
    """Open a page, and return the seconds until it has drawn itself."""
    script = {"source": LONG_TASKS}
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    browser.look()
    browser.driver.get("about:blank")
    browser.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    begun = time.monotonic()
    browser.driver.get(address)
    browser.wait("return document.documentElement.dataset.ready")
    taken = time.monotonic() - begun
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    return taken


def _processor(browser: Browser) -> float:
    """Return the seconds of processor time that the page's thread has used."""
    metrics = browser.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")


def _list(browser: Browser, place: Path) -> None:
    outcomes = cycle([(PASSED, PASSED), (PASSED, FAILED), (CONFLICT, CONFLICT)])
    groups = [(task, pair) for task in range(1, 32) for pair in combinations(range(1, 8), 2)]
    episodes = [
        Recorded(features=pair, task_id=task, outcomes=next(outcomes)) for task, pair in [*groups, (32, (1, 2))]
    ]
    record_run(place / "runs", "many", episodes)
    with serving(place / "runs") as server:
        cold = _open(browser, f"{server.root}data/many/index.html")
        again = _open(browser, f"{server.root}data/many/index.html")
        busy = _processor(browser)
        grid = _open(browser, f"{server.root}data/many/index.html#view=grid")
        rows = browser.count(".square a")
    print(f"{f'{rows} groups, the table':<42} {cold:8.2f} s   1.00 s")
    print(f"{f'{rows} groups, the table again':<42} {again:8.2f} s")
    print(f"{f'{rows} groups, the table, processor time':<42} {busy:8.2f} s")
    print(f"{f'{rows} groups, the grid':<42} {grid:8.2f} s")


def _size(place: Path) -> None:
    run = made_run(place / "logs", "sized", members=2, steps=200, messages=20)
    _real_outputs(run)
    page = export_episode(run, run.episodes[0], place / "sized.html")
    print(f"{'2 members x 200 steps, one file':<42} {page.stat().st_size / 1e6:8.2f} MB  1.00 MB")


def _real_outputs(run: RunResult) -> None:
    """Give each command another output."""
    pieces = _pieces()
    episode = run.episodes[0]
    for path in sorted(episode.directory.glob("*_traj.json")):
        trajectory = Trajectory.model_validate_json(path.read_bytes())
        messages = tuple(
            each.model_copy(update={"message": {**each.message, "content": next(pieces)}})
            if each.message.get("role") == "tool"
            else each
            for each in trajectory.messages
        )
        write_model(path, trajectory.model_copy(update={"messages": messages}))


def _pieces() -> Iterator[str]:
    text = "".join(path.read_text() for path in sorted((ROOT / "src" / "cooperbench").rglob("*.py")))
    while True:
        for first in range(0, len(text) - OUTPUT, OUTPUT):
            yield text[first : first + OUTPUT]


if __name__ == "__main__":
    main()
