import shlex
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cooperbench.agents import AgentArguments, AgentSession, check_config, get_runner, run_agent
from cooperbench.agents.mini_swe_agent.models import load_script
from cooperbench.environments import EnvironmentOptions
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.errors import AgentError, MissingExtraError, SandboxLostError, UnknownNameError, UsageError
from cooperbench.runner.planning.team import read_agent_config

SCRIPT = """
members:
  solo:
    - {text: Here., tool_calls: [{name: bash, arguments: {command: "sed -i s/42/44/ answer.py; printf x > new.txt"}}], cost: 0.5,
       usage: {input_tokens: 10, output_tokens: 2, cached_tokens: 4}}
    - {tool_calls: [{name: submit}], cost: 0.25}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    return path


def arguments(image: str, **more: Any) -> AgentArguments:
    return AgentArguments.model_validate({"task": "Change it.", "image": image, "agent_id": "solo", **more})


def test_the_built_in_agent_works_on_its_own(image: str, script: Path) -> None:
    offered = arguments(image, model_name=f"scripted/{script}", config={"backend": "local"})
    result = run_agent(get_runner("mini_swe_agent"), offered)
    assert (result.status, result.steps, result.cost, result.cached_tokens) == ("Submitted", 2, 0.75, 4)
    assert "+    return 44\n" in result.patch
    assert "new file mode" in result.patch
    assert result.messages[-1]["content"] == "Submitted."


def test_inside_a_run_the_run_decides_where_and_takes_the_patch(image: str, script: Path) -> None:
    ended: list[str] = []
    scope = EnvironmentScope(backend="local", before_cleanup=[lambda env: ended.append(env.backend)])
    with activate(scope):
        offered = arguments(image, model_name=f"scripted/{script}", config={"backend": "modal"})
        result = run_agent(get_runner("mini_swe_agent"), offered)
    assert result.patch == ""
    assert ended == ["local"]


def test_gold_applies_what_the_harness_names(image: str, gold_patch: Path, tmp_path: Path) -> None:
    config = {"backend": "local", "gold": {"patches": [str(gold_patch)]}}
    result = run_agent(get_runner("gold"), arguments(image, config=config))
    assert "+    return 43\n" in result.patch
    assert "gold" not in result.patch

    wrong = tmp_path / "wrong.patch"
    wrong.write_text(gold_patch.read_text().replace("return 42", "return 41"))
    config["gold"] = {"patches": [str(gold_patch), str(wrong)]}
    with pytest.raises(AgentError, match=r"wrong\.patch does not apply"):
        run_agent(get_runner("gold"), arguments(image, config=config))

    combined = tmp_path / "combined.patch"
    combined.write_text(gold_patch.read_text().replace("return 43", "return 44"))
    config["gold"] = {"patches": [str(gold_patch), str(wrong)], "combined": str(combined)}
    result = run_agent(get_runner("gold"), arguments(image, config=config))
    assert "+    return 44\n" in result.patch
    assert result.messages[-1]["content"] == "applied combined.patch"


def test_gold_without_patches_is_a_usage_error(image: str) -> None:
    with pytest.raises(UsageError, match="paths of the reference patches"):
        run_agent(get_runner("gold"), arguments(image))


def test_a_session_cleans_up_whatever_happens(image: str) -> None:
    session = AgentSession(image, config={"backend": "local"})

    def fail() -> None:
        with session:
            session.env.execute("touch half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(SandboxLostError):
        session.env.execute("true")


def test_a_session_takes_the_patch_byte_for_byte(image: str) -> None:
    with AgentSession(image, config={"backend": "local"}, task="ignored", log_dir=None) as session:
        session.env.execute("printf 'a  \\r\\nb' > odd.txt; git add -A; git commit -qm x; rm -rf .git")
        result = session.result("Submitted", steps=1)
    assert "+a  \r\n+b\n\\ No newline at end of file\n" in result.patch
    assert (result.cost, result.steps) == (0.0, 1)


def test_sandboxes_that_share_a_loopback_cannot_use_each_others_gateway(image: str, script: Path) -> None:
    given: dict[str, Any] = {
        "agent_id": "solo",
        "model_name": f"scripted/{script}",
        "config": {"backend": "local"},
        "options": EnvironmentOptions(network="full", allow_unsandboxed=True),
    }
    body = '{"messages": [{"role": "user", "content": "Go on."}]}'
    ask = "python3 -c " + shlex.quote(
        "import sys, urllib.request; "
        f"print(urllib.request.urlopen(sys.argv[1] + '/v1/chat/completions', {body.encode()!r}).read())"
    )
    with AgentSession(image, **given) as one, AgentSession(image, **given) as other:
        mine, theirs = one.serve_gateway(), other.serve_gateway()
        port, _, token = theirs.rpartition("/")
        for address in (port, f"{port}/{mine.rpartition('/')[2]}"):
            assert "401" in one.env.execute(f"{ask} {address}")["output"]
        assert other.gateway.calls == 0
        assert "chatcmpl" in one.env.execute(f"{ask} {mine}")["output"]
        assert "chatcmpl" in other.env.execute(f"{ask} {theirs}")["output"]
        assert (one.gateway.calls, other.gateway.calls) == (1, 1)
        assert len(token) >= 32


def test_a_session_joins_the_team(image: str, mailboxes: dict[str, str]) -> None:
    team: dict[str, Any] = {"agents": ["agent1", "agent2"], "config": {"backend": "local"}}
    with AgentSession(image, agent_id="agent1", comm_url=mailboxes["agent1"], **team) as first:
        assert first.mailbox is not None
        first.mailbox.send("agent2", "hello")
        with AgentSession(image, agent_id="agent2", comm_url=mailboxes["agent2"], **team) as second:
            assert second.mailbox is not None
            assert [message["text"] for message in second.mailbox.receive()] == ["hello"]
        with AgentSession(
            image, agent_id="agent2", comm_url=mailboxes["agent2"], messaging_enabled=False, **team
        ) as off:
            assert off.mailbox is None


@pytest.mark.parametrize(
    ("model", "config", "text"),
    [
        ("scripted/{script}", {"agnt": {}}, "unknown section 'agnt'"),
        ("scripted/{script}", {"agent": {"max_iteration": 3}}, "agent.max_iteration"),
        ("scripted/{script}", {"agent": 3}, "mapping"),
        ("scripted/{script}", {"model": {"temp": 3}}, "model.temp"),
        ("scripted/nowhere.yaml", {}, "cannot read the script"),
        ("scripted/{script}#agent9", {}, "agent9"),
    ],
)
def test_a_wrong_configuration_is_found_before_a_run(
    model: str, config: dict[str, Any], text: str, script: Path
) -> None:
    with pytest.raises(UsageError, match=text):
        check_config("mini_swe_agent", model.format(script=script), config, agent_id="solo")


def test_a_right_configuration_is_accepted(script: Path) -> None:
    config = {"backend": "docker", "agent": {"max_iterations": 3}, "model": {"temperature": 0.2}}
    check_config("mini_swe_agent", f"scripted/{script}", config, agent_id="solo")
    documented = read_agent_config(Path(__file__).parents[2] / "examples" / "config" / "my_agent.yaml", None).values
    check_config("mini_swe_agent", f"scripted/{script}", documented, agent_id="solo")
    check_config("nop", "anything", {"whatever": 1})
    with pytest.raises(UnknownNameError):
        check_config("no_such_agent", "x")


def test_the_bundled_scripts_can_be_read() -> None:
    scripts = sorted(Path(str(files("cooperbench.tasks") / "demo" / "scripts")).glob("*.yaml"))
    assert len(scripts) >= 4
    for path in scripts:
        script = load_script(path)
        assert all(script.turns(member)[-1].tool_calls[-1].name == "submit" for member in script.members)


def test_a_missing_litellm_is_said_before_a_run() -> None:
    if find_spec("litellm") is not None:
        check_config("mini_swe_agent", "gpt-4o")
    else:
        with pytest.raises(MissingExtraError, match="litellm"):
            check_config("mini_swe_agent", "gpt-4o")
