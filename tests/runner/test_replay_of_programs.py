"""Programs behind the gateway are played again: with their teammates' messages where they came, and to the end of their answers."""

import json
from pathlib import Path

import pytest
import yaml

from cooperbench.agents.command_line.catalogue import AGENTS_DIR
from cooperbench.records import Ending, Setting
from cooperbench.records.replay import read_replay
from cooperbench.runner import SessionOptions
from tests.runner.one_team import run_team

SHELL = {"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}
BODY = {"model": "any", "messages": [{"role": "user", "content": "Go on."}], "tools": [SHELL]}
ASK = f"""
import sys, urllib.request
request = urllib.request.Request(sys.argv[1] + "/v1/chat/completions", {json.dumps(BODY)!r}.encode())
print(urllib.request.urlopen(request).read().decode())
"""
TELLS = "{ask}; sleep {before}; coop send agent2 hello"
HOOKED = "{ask}; sleep {after}; if coop hook Stop | grep -q block; then {ask} >answered.txt; fi"
LIMITED = "{ask} && {ask}"


def write_agents(folder: Path, *, before: float, after: float) -> None:
    """Write the programs: how fast they are differs from run to run."""
    for name, command in {"tells": TELLS, "hooked": HOOKED, "limited": LIMITED}.items():
        filled = command.replace("{before}", str(before)).replace("{after}", str(after))
        filled = filled.replace("{ask}", "python3 {home}/ask.py {address}")
        file = {"name": name, "dialect": "chat", "command": filled, "files": {"~/ask.py": ASK}, "messages": "hook"}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(file))


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_a_message_that_kept_a_program_from_ending_does_so_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "agents"
    folder.mkdir()
    monkeypatch.setenv(AGENTS_DIR, str(folder))
    turns = [{"text": f"answer {number}"} for number in range(3)]
    (tmp_path / "script").write_text(yaml.safe_dump({"members": {f"agent{each}": turns for each in (1, 2, 3)}}))
    programs = [{"agent": name, "model": f"scripted/{tmp_path / 'script'}"} for name in ("tells", "hooked", "limited")]
    programs[2]["limits"] = {"steps": 1}  # type: ignore[assignment]
    alone = SessionOptions(auto_eval=False)

    write_agents(folder, before=0, after=2)
    [first] = run_team(programs, tmp_path / "first", alone).episodes
    write_agents(folder, before=2, after=0)
    again = [{"agent": f"replay:{tmp_path}/first/team"}] * 3
    [played] = run_team(again, tmp_path / "again", alone).episodes

    for episode in (first, played):
        assert episode.result is not None
        members = episode.result.agents
        assert [member.ending for member in members.values()] == [Ending.SUBMITTED, Ending.SUBMITTED, Ending.LIMIT]
        assert [member.steps for member in members.values()] == [1, 2, 1]
        assert "answer 1" in episode.patch("agent2")
    reports = [read_replay(played.files, Setting.COOP, (number,)) for number in (1, 2, 3)]
    assert [(report.answers, report.played) for report in reports if report] == [(1, 1), (2, 2), (1, 1)]
