"""An agent that raises: its reason, its hint, its last frames and its traceback are where its author looks."""

import json
from pathlib import Path

import pytest

from tests.command_line import Said, cooperbench

pytestmark = pytest.mark.needs("sandbox")

AGENT = """
import json

from cooperbench.agents import AgentResult
from cooperbench.agents.registry import register


def deeper(text):
    return json.loads(text)


@register("breaks")
class Breaks:
    def run(self, task, image, *, agent_id="agent", config=None, **kwargs):
        print("printed by", agent_id)
        if agent_id == (config or {}).get("spared"):
            return AgentResult(status="Submitted", patch="", cost=0.0, steps=1, messages=[])
        return deeper("no json")
"""
REASON = "the agent raised JSONDecodeError: Expecting value: line 1 column 1 (char 0)"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "breaking_agent.py").write_text(AGENT)
    monkeypatch.setenv("COOPERBENCH_EXTERNAL_AGENTS", "breaking_agent")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(name: str, *more: str) -> Said:
    return cooperbench("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-n", name, "-a", "breaks", *more)


def test_what_the_author_sees(place: Path) -> None:
    said = run("exp", "--no-auto-eval")
    line = next(line for line in said.err.splitlines() if "f1_f2  completed" in line)
    assert line.endswith(f"agent2 error (0 steps, 0 lines): {REASON}")
    alike = f"all 2 members failed alike: {REASON}; debug it: cooperbench agents run breaks shelfdb_task/1 --debug"
    assert alike in said.out.splitlines()
    shown = cooperbench("runs", "show", "exp", "shelfdb_task/1/f1_f2").out.splitlines()
    start = shown.index(f"  agent error AgentError: {REASON}")
    frames = shown[start + 1 : start + 4]
    assert [frame.split(" in ")[0].split(":")[0].strip() for frame in frames] == [
        "breaking_agent.py",
        "breaking_agent.py",
        "json/decoder.py",
    ]
    assert frames[1].endswith("in deeper: return json.loads(text)")
    assert shown[start + 4].startswith("    try: ")
    logs = place / "logs/exp/coop/shelfdb_task/1/f1_f2/agent1_logs"
    assert (logs / "process.log").read_text() == "printed by agent1\n"
    trace = (logs / "traceback.txt").read_text()
    assert trace.startswith("Traceback (most recent call last):\n")
    assert 'breaking_agent.py", line 9, in deeper' in trace
    assert trace.endswith("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n")
    result = (logs.parent / "result.json").read_text()
    assert str(place) not in result + trace
    assert json.loads(result)["agents"]["agent1"]["error"]["frames"][0].startswith("breaking_agent.py:")


def test_one_member_of_two(place: Path) -> None:
    (place / "config.yaml").write_text("spared: agent2\n")
    said = run("exp", "--no-auto-eval", "--agent-config", "config.yaml")
    line = next(line for line in said.err.splitlines() if "f1_f2  completed" in line)
    assert line.endswith(f"agent2 submitted (1 step, 0 lines); agent1: {REASON}")
    assert "failed alike" not in said.out


def test_in_this_process(place: Path) -> None:
    said = cooperbench("agents", "run", "breaks", "shelfdb/1")
    assert said.code == 1
    assert said.out == "printed by solo\n"
    assert f"agent error AgentError: {REASON}" in said.err
    assert "in deeper: return json.loads(text)" in said.err
    debugged = cooperbench("agents", "run", "breaks", "shelfdb/1", "--debug")
    assert "(Pdb)" in debugged.out
    assert debugged.err.startswith("JSONDecodeError: Expecting value")
    assert [path.name for path in place.iterdir() if path.name != "__pycache__"] == ["breaking_agent.py"]


def test_a_working_agent_in_this_process(place: Path) -> None:
    said = cooperbench("agents", "run", "mini_swe_agent", "shelfdb_task/1")
    assert said.code == 0
    assert "+checked" in said.out
    assert said.err.startswith("submitted as 'Submitted' after 2 steps")
    gold = cooperbench("agents", "run", "gold", "shelfdb_task/1", "-f", "2")
    patch = Path(__file__).parents[2] / "src/cooperbench/tasks/demo/shelfdb_task/task1/feature2/feature.patch"
    assert gold.out.count("\n+") == patch.read_text().count("\n+")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nop", "shelf/1"), "unknown repository 'shelf'; did you mean 'shelfdb_task'?"),
        (("nop", "shelfdb/7"), "unknown task '7'"),
        (("nopp", "shelfdb/1"), "unknown agent 'nopp'; did you mean 'nop'?"),
        (("nop", "shelfdb/1", "--backend", "locl"), "did you mean 'local'?"),
    ],
)
def test_mistakes(words: tuple[str, ...], message: str, place: Path) -> None:
    said = cooperbench("agents", "run", *words)
    assert said.code == 2
    assert message in said.err.splitlines()[0]
