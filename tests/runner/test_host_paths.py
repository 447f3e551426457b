"""Nothing in a record says where the machine that made it keeps its files; records that do are still read and resumed."""

import json
import sys
from pathlib import Path

import pytest

import cooperbench as package
from cooperbench.records.host_paths import code_path, recorded_value, without_host_paths
from tests.command_line import Said, cooperbench

SCRIPTS = Path(package.__file__).parent / "tasks/demo/scripts"
RAISER = """
from cooperbench.agents import AgentResult

class Raiser:
    def run(self, task, image, *, agent_id="agent", log_dir=None, **kwargs):
        print("my logs are in", log_dir)
        if agent_id == "agent1":
            raise FileNotFoundError(2, "No such file", __file__)
        return AgentResult(status="Error", patch="", cost=0.0, steps=0, messages=[], error=f"see {__file__}")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "raising_agent.py").write_text(RAISER)
    (tmp_path / "mine.yaml").write_text((SCRIPTS / "adapts.yaml").read_text())
    (tmp_path / "agent.yaml").write_text("agent: {max_iterations: 5}\n")
    (tmp_path / "prices.yaml").write_text("m: {input: 1, output: 1}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*more: str) -> Said:
    return cooperbench("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-n", "exp", "--no-auto-eval", *more)


def scripted(place: Path) -> Said:
    files = ["--agent-config", str(place / "agent.yaml"), "--price-table", str(place / "prices.yaml")]
    return run("-m", f"scripted/{place}/mine.yaml", *files, "--log-dir", str(place / "logs"))


def records(place: Path) -> dict[str, str]:
    files = (path for path in (place / "logs").rglob("*") if path.is_file())
    return {str(path.relative_to(place)): path.read_text(errors="replace") for path in files}


def strangers(place: Path, texts: dict[str, str]) -> list[str]:
    folders = {str(place), str(Path(package.__file__).parent), sys.prefix}
    return [name for name, text in texts.items() if any(folder in text for folder in folders)]


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_a_scripted_run_and_its_resumption_from_elsewhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scripted(place).code == 0
    texts = records(place)
    assert strangers(place, texts) == []
    config = json.loads(texts["logs/exp/config.json"])
    assert config["team"][0]["model"] == "scripted/mine.yaml"
    assert config["team"][0]["config_path"] == "agent.yaml"
    assert config["team"][0]["config"]["model"] == {"price_table": "prices.yaml"}
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    again = scripted(place)
    assert again.code == 0
    assert "1 already finished" in again.err


@pytest.mark.needs("sandbox")
def test_an_agent_whose_errors_name_its_file(place: Path) -> None:
    said = run("-a", "raising_agent:Raiser")
    assert said.code == 0
    texts = records(place)
    assert strangers(place, texts) == []
    errors = {name: member["error"] for name, member in json.loads(texts[RESULT])["agents"].items()}
    assert errors["agent1"]["message"].endswith("No such file: './raising_agent.py'")
    assert errors["agent2"]["message"] == "see ./raising_agent.py"
    assert "my logs are in" in texts[RESULT.replace("result.json", "agent1_logs/process.log")]


RESULT = "logs/exp/coop/shelfdb_task/1/f1_f2/result.json"


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_a_record_of_an_earlier_version(place: Path) -> None:
    assert scripted(place).code == 0
    for name in ("logs/exp/config.json", RESULT):
        path = place / name
        text = path.read_text().replace('"scripted/mine.yaml"', f'"scripted/{place}/mine.yaml"')
        path.write_text(text.replace('"agent.yaml"', f'"{place}/agent.yaml"'))
    again = scripted(place)
    assert "1 already finished" in again.err, again
    assert str(place) in (place / "logs/exp/config.json").read_text()
    for shown in (cooperbench("runs", "list"), cooperbench("runs", "show", "exp", "shelfdb_task/1/f1_f2")):
        assert "scripted/mine.yaml" in shown.out
    exported = cooperbench("runs", "export", "exp", "shared")
    assert exported.code == 0
    shared = {str(path): path.read_text(errors="replace") for path in (place / "shared").rglob("*") if path.is_file()}
    assert strangers(place, shared) == []


def test_what_is_not_of_this_machine_stays(place: Path) -> None:
    for text in ("/workspace/repo/a.py", "/usr/bin/python3: no", "see https://example.org/some/a", "a/b/c", "1/2", "/"):
        assert without_host_paths(text) == text
    assert (
        without_host_paths(f"cannot write {place}/logs/exp/config.json: full")
        == "cannot write ./logs/exp/config.json: full"
    )
    assert without_host_paths(f"{place.parent.parent}/other/deep/file") == "…/deep/file"
    assert code_path(json.decoder.__file__) == "json/decoder.py"
    shell = {"shell": "/bin/bash", "cwd": "/workspace/repo", "prompt": f"look into {place}/mine.yaml", "n": 1}
    assert recorded_value({"a": [shell, str(place / "mine.yaml")]}) == {"a": [shell, "mine.yaml"]}
