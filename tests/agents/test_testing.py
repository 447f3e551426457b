import signal
import subprocess
import sys
import textwrap

import pytest

from cooperbench.agents import AgentArguments, agent_names, get_runner, run_agent
from cooperbench.environments import Environment
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.errors import AgentError


@pytest.mark.parametrize(
    "name", ["hang", "memory", "fork", "thread", "chatter", "huge_file", "swallow_limits", "result"]
)
def test_testing_agents_are_found_and_not_listed(name: str) -> None:
    assert callable(get_runner(f"testing/{name}").run)
    assert f"testing/{name}" not in agent_names()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("raise", "raised ValueError: the agent's own mistake"),
        ("unprintable", "raised UnprintableError: <UnprintableError that cannot be shown"),
        ("none", "returned nothing"),
        ("wrong_type", "returned a dict"),
        ("negative_cost", "cost is -1.0"),
    ],
)
def test_misbehaviour_becomes_an_error_and_the_work_is_there(name: str, text: str, image: str) -> None:
    seen: list[Environment] = []
    scope = EnvironmentScope(backend="local", after_start=[seen.append])
    with activate(scope):
        with pytest.raises(AgentError, match=text):
            run_agent(get_runner(f"testing/{name}"), AgentArguments(task="x", image=image))
        for env in seen:
            env.cleanup()
    assert len(seen) == 1


@pytest.mark.parametrize(("name", "code"), [("exit", 7), ("segfault", -signal.SIGSEGV)])
def test_some_end_their_process(name: str, code: int, image: str) -> None:
    script = f"""
        from cooperbench.agents import AgentArguments, get_runner, run_agent
        arguments = AgentArguments(task="x", image={image!r}, config={{"backend": "local"}})
        run_agent(get_runner("testing/{name}"), arguments)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)
    assert done.returncode == code
