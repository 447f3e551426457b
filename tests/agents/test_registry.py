import sys
from pathlib import Path

import pytest

from cooperbench.agents import AgentResult, agent_names, describe, get_runner, register
from cooperbench.agents.registry import EXTERNAL_AGENTS
from cooperbench.errors import UnknownNameError, UsageError

ADAPTER = '''
from cooperbench.agents import AgentResult
from cooperbench.agents.registry import register

@register("{name}")
class Runner:
    """Answers {name}."""

    def __init__(self, mood="calm"):
        self.mood = mood

    def run(self, task, image, **kwargs):
        return AgentResult(status="{name}", patch="", cost=0.0, steps=0, messages=[])
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path for modules of the test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write_module(folder: Path, module: str, text: str) -> None:
    (folder / f"{module}.py").write_text(text, encoding="utf-8")


def test_several_external_modules_register_their_agents(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(package, "external_one", ADAPTER.format(name="ext_one"))
    write_module(package, "external_two", ADAPTER.format(name="ext_two"))
    monkeypatch.setenv(EXTERNAL_AGENTS, "external_one, external_two,")

    assert {"ext_one", "ext_two", "mini_swe_agent", "gold", "nop"} <= set(agent_names())
    found = describe("ext_two")
    assert (found.origin, found.target, found.summary) == (EXTERNAL_AGENTS, "external_two:Runner", "Answers ext_two.")
    assert get_runner("ext_one").run("task", "image").status == "ext_one"


def test_an_external_module_that_fails_to_import_is_an_error_each_time(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(package, "external_broken", "import math\n\nvalue = math.no_such_thing\n")
    monkeypatch.setenv(EXTERNAL_AGENTS, "external_broken")
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            get_runner("nop")
        text = str(caught.value)
        assert "external_broken" in text
        assert EXTERNAL_AGENTS in text
        assert "no_such_thing" in text
        assert f"{package / 'external_broken.py'}:3" in text


def test_a_missing_external_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXTERNAL_AGENTS, "there_is.no_such_module")
    with pytest.raises(UsageError, match="there_is"):
        agent_names()


def test_an_external_agent_may_replace_a_built_in_one(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    write_module(package, "own_nop", ADAPTER.format(name="nop"))
    script = "from cooperbench.agents import *; import cooperbench.agents.nop; print(describe('nop').target)"
    environment = {"PYTHONPATH": str(package), EXTERNAL_AGENTS: "own_nop", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "own_nop:Runner"


def test_two_own_agents_cannot_share_a_name() -> None:
    class First:
        pass

    class Second:
        pass

    register("shared_name")(First)
    register("shared_name")(First)  # a reload of the same module is fine
    with pytest.raises(UsageError, match="shared_name"):
        register("shared_name")(Second)


def test_a_class_can_be_named_without_registering(package: Path) -> None:
    write_module(package, "plain_module", ADAPTER.replace('@register("{name}")\n', "").format(name="plain"))
    runner = get_runner("plain_module:Runner", {"init": {"mood": "bold"}})
    assert vars(runner) == {"mood": "bold"}
    assert describe("plain_module:Runner").origin == "named"


def test_modules_of_the_current_folder_are_found(tmp_path: Path) -> None:
    import subprocess

    write_module(tmp_path, "beside_me", ADAPTER.format(name="beside"))
    script = (
        "import sys; sys.path.remove(''); from cooperbench.agents import get_runner; print(get_runner('beside').mood)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={EXTERNAL_AGENTS: "beside_me", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "calm"


@pytest.mark.parametrize("arguments", [{"moood": "x"}, ["not a mapping"]])
def test_wrong_constructor_arguments_are_a_usage_error(package: Path, arguments: object) -> None:
    write_module(package, "needs_init", ADAPTER.replace('@register("{name}")\n', "").format(name="x"))
    with pytest.raises(UsageError, match="init"):
        get_runner("needs_init:Runner", {"init": arguments})


def test_an_entry_point_of_an_installed_package_is_found(package: Path) -> None:
    write_module(package, "packaged_agent", ADAPTER.replace('@register("{name}")\n', "").format(name="packaged"))
    information = package / "packaged_agent-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged-agent\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[cooperbench.agents]\npackaged = packaged_agent:Runner\n")

    assert "packaged" in agent_names()
    assert "packaged_agent" not in sys.modules, "listing names imports no agent"
    assert describe("packaged").origin == "entry point of packaged-agent"
    assert get_runner("packaged").run("task", "image").status == "packaged"


def test_unknown_names_show_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mini_swe_agent'"):
        get_runner("mini_swe_agnet")


@pytest.mark.parametrize("name", ["", "two words", "a:b", "x,y"])
def test_names_that_could_not_be_typed_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        register(name)


def test_something_without_run_is_refused() -> None:
    register("no_run")(object)
    with pytest.raises(UsageError, match="no method run"):
        get_runner("no_run")


def test_a_broken_agent_is_described_with_its_error() -> None:
    found = describe("no_such_module_at_all:Runner")
    assert found.error is not None
    assert "no_such_module_at_all" in found.error


def test_nop_does_nothing() -> None:
    assert get_runner("nop").run("task", "image") == AgentResult("Submitted", "", 0.0, 0, [])
