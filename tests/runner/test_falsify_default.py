"""Whether runs prove their passes when nobody says so."""

from pathlib import Path

import pytest

from cooperbench.errors import UsageError
from cooperbench.records import Falsify
from cooperbench.runner.planning.plan import make_plan
from cooperbench.runner.planning.request import FALSIFY, RunRequest
from tests.command_line import cooperbench


@pytest.mark.parametrize(("named", "expected"), [(None, "on"), ("", "on"), ("off", "off"), ("warn", "warn")])
def test_the_environment_sets_the_default(
    named: str | None, expected: Falsify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FALSIFY, raising=False)
    if named is not None:
        monkeypatch.setenv(FALSIFY, named)
    request = RunRequest(run_name="run", agent="nop", subset="demo", repo="shelfdb", log_dir=tmp_path)
    assert make_plan(request).config.falsify == expected


def test_what_is_said_counts_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FALSIFY, "off")
    request = RunRequest(run_name="run", agent="nop", subset="demo", repo="shelfdb", log_dir=tmp_path, falsify="on")
    assert make_plan(request).config.falsify == "on"


def test_a_word_without_a_meaning_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FALSIFY, "yes")
    with pytest.raises(UsageError, match="COOPERBENCH_FALSIFY is 'yes'"):
        RunRequest()
    said = cooperbench("run", "-s", "demo", "-a", "nop", "--dry-run")
    assert (said.code, said.err.splitlines()[0]) == (2, "error: COOPERBENCH_FALSIFY is 'yes'")
