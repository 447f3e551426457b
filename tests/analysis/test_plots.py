"""`cooperbench plot`: each kind in each format, and what cannot be drawn."""

from pathlib import Path

import pytest

from cooperbench.records import Setting
from tests.analysis.made_runs import Made, RunFacts, write_run
from tests.command_line import Said, cooperbench

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("logs")
    groups = [(task, (1, 2, 3)[:size]) for task in (1, 2, 3) for size in (2, 3)]
    coop = [
        Made(task, features, passes=len(features) == 2 and task != 3, messages=("a", "b"), cost=0.2 * task)
        for task, features in groups
    ]
    write_run(place, "coop", coop)
    write_run(
        place, "solo", [Made(task, features, passes=task != 3) for task, features in groups], RunFacts(Setting.SOLO)
    )
    write_run(place, "quiet", [Made(cost=None)])
    return place


def plot(logs: Path, *words: str) -> Said:
    return cooperbench("plot", *words, "--log-dir", str(logs))


@pytest.mark.parametrize("kind", ["rates", "difficulty", "team-size", "messages", "cost"])
@pytest.mark.parametrize("suffix", STARTS)
def test_each_kind_in_each_format(logs: Path, tmp_path: Path, kind: str, suffix: str) -> None:
    target = tmp_path / "figures" / f"{kind}{suffix}"
    said = plot(logs, kind, "solo", "coop", "-o", str(target))
    assert (said.code, said.out) == (0, f"written: {target}\n"), said.err
    assert target.read_bytes().startswith(STARTS[suffix])


def test_the_same_runs_give_the_same_file_with_text(logs: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "a.svg", tmp_path / "b.svg"
    for target in (first, again):
        assert plot(logs, "rates", "solo", "coop", "-o", str(target)).code == 0
    assert first.read_text() == again.read_text()
    assert "coop (coop)" in first.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rates", "coop", "-o", "figure.jpg"], "figure.jpg does not end in .png, .svg, .pdf"),
        (["difficulty", "coop"], "needs a solo and a coop run of the same model"),
        (["messages", "solo"], "no member of these runs sent a message"),
        (["cost", "quiet"], "the cost of run quiet is not known"),
        (["pie", "coop"], "'pie' is not one of"),
        (["rates", "nobody"], "unknown run 'nobody'"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_cannot_be_drawn(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = plot(logs, *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert not list(tmp_path.iterdir())
