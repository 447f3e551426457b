"""Which files changed while a command ran, as the supervisor inside the sandbox sees it."""

import math
import runpy
from pathlib import Path
from typing import Any

import pytest

from cooperbench.environments import open_environment
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.records.activity import CommandSpan

INSIDE = Path(__file__).parents[2] / "src/cooperbench/environments/inside/changes.py"


@pytest.fixture
def program() -> dict[str, Any]:
    """The program, which looks each time: on a busy machine a look at two files took more than 10 ms, and the next was left out."""
    program = runpy.run_path(str(INSIDE))
    program["watch"].__globals__["SHORT_LOOK"] = math.inf
    return program


def test_what_was_written_removed_or_made_is_a_change(program: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "kept.py").write_text("a")
    (tmp_path / "gone.py").write_text("a")
    changes = program["watch"](str(tmp_path))
    assert changes.since() == []
    (tmp_path / "gone.py").unlink()
    (tmp_path / "kept.py").write_text("ab")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "made.py").touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").touch()
    assert changes.since() == ["gone.py", "kept.py", "new/made.py"]
    assert program["watch"](str(tmp_path)).since() == []


def test_a_tree_that_is_too_large_is_not_watched(program: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    (tmp_path / "two").touch()
    watch = program["watch"]
    watch.__globals__["MOST_FILES"] = 1
    assert watch(str(tmp_path)).since() is None
    assert watch(None) is None
    assert program["watch"](str(tmp_path / "none")).since() == []


@pytest.mark.slow
def test_each_command_of_a_scope_is_noted_with_its_changes(image: str) -> None:
    seen: list[CommandSpan] = []
    with (
        activate(EnvironmentScope(after_command=[seen.append])),
        open_environment("local", image) as environment,
    ):
        environment.execute("true")
        environment.execute("echo new >written.txt; exit 3")
    first, second = seen[-2:]
    assert (first.changed, first.exit_code) == ((), 0)
    assert (second.command, second.exit_code, second.changed) == (
        "echo new >written.txt; exit 3",
        3,
        ("written.txt",),
    )
    assert first.ended_at <= second.started_at <= second.ended_at
