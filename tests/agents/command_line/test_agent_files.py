"""The files of command-line agents: found by their names, checked before anything starts."""

import importlib
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from cooperbench.agents import agent_names, check_config, describe, get_runner
from cooperbench.agents.command_line.agent_file import PLACEHOLDERS, filled, read_agent_file
from cooperbench.agents.command_line.catalogue import AGENTS_DIR, built_in_files
from cooperbench.agents.registry import layer_of
from cooperbench.errors import UsageError

SMALLEST = {"name": "my_cli", "dialect": "chat", "command": "echo hello"}


def write(folder: Path, stem: str = "my_cli", /, **changes: object) -> Path:
    path = folder / f"{stem}.yaml"
    path.write_text(yaml.safe_dump({**SMALLEST, **changes}))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(AGENTS_DIR, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", sorted(built_in_files()))
def test_the_built_in_files_are_right(name: str) -> None:
    found = describe(name)
    assert found.error is None
    assert found.origin == "built-in"
    assert found.summary
    layer = layer_of(name)
    assert layer is not None
    assert layer.version
    text = built_in_files()[name].path.read_text()
    assert "{address}" in text  # it asks the gateway, and nobody else
    check_config(name, "scripted/solo_passes")


@pytest.mark.parametrize("name", sorted(built_in_files()))
def test_configurations_can_be_read_with_teammates_and_without(name: str) -> None:
    file = built_in_files()[name].read()
    assert file.mcp
    values = dict.fromkeys(PLACEHOLDERS, "x")
    for mcp in (file.mcp, ""):
        configurations = {path: filled(text, {**values, "mcp": mcp}) for path, text in file.files.items()}
        read = [(tomllib if path.endswith(".toml") else json).loads(text) for path, text in configurations.items()]
        assert ('"coop"' in json.dumps(read)) == bool(mcp)


def test_an_agent_in_a_folder_of_ones_own(folder: Path) -> None:
    write(folder, summary="Mine")
    write(folder, "codex", name="codex", summary="My own codex").rename(folder / "codex.yml")
    assert "my_cli" in agent_names()
    found = describe("my_cli")
    assert (found.origin, found.summary, found.target) == (AGENTS_DIR, "Mine", str(folder / "my_cli.yaml"))
    assert describe("codex").summary == "My own codex"
    assert callable(get_runner("my_cli").run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"comand": "x"}, "comand"),
        ({"command": 3}, "wrong at command"),
        ({"command": "{programm} run"}, "unknown placeholder {programm}; did you mean 'program'?"),
        ({"command": "{program} run"}, "there is no `layer` that has one"),
        ({"dialect": "openai"}, "wrong at dialect"),
        ({"events": "jsonn"}, "unknown format 'jsonn'; did you mean 'jsonl'?"),
        ({"layer": {"npm": {"x": 1.2}, "program": "x"}}, "wrong at layer.npm.x"),
        ({"layer": {"npm": {"x": "1; rm"}, "program": "x"}}, "wrong at layer.npm.x"),
        ({"layer": {"program": "x"}}, "a layer needs"),
        ({"succeeded": {"exit": "zero"}}, "wrong at succeeded.exit"),
        ({"stdin": "everything"}, "wrong at stdin"),
        ({"name": "Other Name"}, "wrong at name"),
        ({"name": "other"}, "names its agent 'other'"),
        ({"env": {"A": 1}}, "wrong at env.A"),
    ],
)
def test_a_wrong_file_is_one_line_with_the_file_and_the_field(
    changes: dict[str, object], said: str, folder: Path
) -> None:
    path = write(folder, "my_cli", **changes)
    with pytest.raises(UsageError) as raised:
        get_runner("my_cli")
    assert said in raised.value.message
    assert str(path) in raised.value.message
    assert "\n" not in raised.value.message
    assert raised.value.hint
    assert describe("my_cli").error is not None  # the list still shows it


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AGENTS_DIR, str(tmp_path / "missing"))
    with pytest.raises(UsageError, match=r"there is no folder .*missing, which COOPERBENCH_AGENTS_DIR names"):
        agent_names()


def test_two_files_for_one_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for each in folders:
        each.mkdir()
        write(each)
    monkeypatch.setenv(AGENTS_DIR, ":".join(map(str, folders)))
    with pytest.raises(UsageError, match="two files describe the agent 'my_cli'"):
        get_runner("my_cli")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"agent": {"step_limit": 3}}, "my_cli cannot keep the setting 'agent'"),
        ({"modell": {}}, "my_cli cannot keep the setting 'modell'; did you mean 'model'?"),
        ({"model": {"tool_format": "text"}}, "`model.tool_format` cannot be set"),
        ({"model": {"temprature": 1}}, "model.temprature"),
    ],
)
def test_a_setting_that_cannot_be_kept_is_refused(config: dict[str, object], said: str, folder: Path) -> None:
    write(folder)
    with pytest.raises(UsageError) as raised:
        check_config("my_cli", "scripted/solo_passes", config)
    assert said in raised.value.message


def test_placeholders() -> None:
    values = {"model": "a b'c", "program": "/x"}
    assert (
        filled("{program} -m {model} ${HOME} {} {'a': 1}", values, shell=True)
        == "/x -m 'a b'\"'\"'c' ${HOME} {} {'a': 1}"
    )
    assert filled('{"name": "{model}"}', values) == '{"name": "a b\'c"}'


def test_an_entry_point_may_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, summary="From a package")
    (tmp_path / "a_package_with_an_agent.py").write_text(
        "from pathlib import Path\n"
        "from cooperbench.agents.command_line.catalogue import command_line_agent\n"
        "my_cli = command_line_agent(Path(__file__).with_name('my_cli.yaml'))\n"
    )
    info = tmp_path / "a_package_with_an_agent-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: a-package-with-an-agent\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cooperbench.agents]\nmy_cli = a_package_with_an_agent:my_cli\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    found = describe("my_cli")
    assert (found.origin, found.summary) == ("entry point of a-package-with-an-agent", "From a package")


def test_a_file_can_be_read_alone(tmp_path: Path) -> None:
    file = read_agent_file(write(tmp_path))
    assert (file.stdin, file.events, file.messages) == ("nothing", "text", "tool_result")
    assert file.succeeded.has(0)
    assert not file.succeeded.has(1)
