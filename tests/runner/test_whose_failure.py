"""Whose failure an error is: the provider's is repeated, the agent's is scored."""

from pathlib import Path

import pytest

import cooperbench
from cooperbench.agents import AgentResult
from cooperbench.agents.call import AgentArguments, run_agent
from cooperbench.agents.client_errors import failure_of_provider
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.errors import AgentError, ModelError, ModelRequestError, SandboxLostError
from cooperbench.records import Ending
from cooperbench.runner.workers.failures import ending_of, failure_of

SETTING = "Unsupported value: 'temperature' does not support 0.2 with this model."


@pytest.mark.parametrize(
    ("error", "first", "later"),
    [
        (provider_error(400, SETTING), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (provider_error(422, "messages.2: extra inputs are not permitted"), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (provider_error(429, "slow down"), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (provider_error(503, "overloaded"), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (provider_error(401, "wrong key"), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (provider_error(404, "no such model"), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (provider_error(400, "x does not support tools"), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (provider_error(400, "prompt is too long: 5000 tokens > 4096 maximum"), Ending.INFRA_ERROR, Ending.ERROR),
        (provider_error(400, "the response was filtered: content_filter"), Ending.INFRA_ERROR, Ending.ERROR),
        (provider_error(500, "error parsing tool call"), Ending.INFRA_ERROR, Ending.ERROR),
        (ModelRequestError("the script ends", by_model=True), Ending.INFRA_ERROR, Ending.ERROR),
        (SandboxLostError("gone"), Ending.INFRA_ERROR, Ending.INFRA_ERROR),
        (AgentError("raised"), Ending.ERROR, Ending.ERROR),
    ],
)
def test_what_a_model_wrote_is_its_result_and_all_else_is_not(error: ModelError, first: Ending, later: Ending) -> None:
    assert (ending_of(error, steps=0), ending_of(error, steps=7)) == (first, later)


def test_an_error_that_is_its_own_cause_ends() -> None:
    error = AgentError("raised")
    error.__cause__ = error
    assert ending_of(error, steps=1) is Ending.ERROR
    assert failure_of_provider(error) is None


def test_a_mistake_of_cooperbench_is_not_the_agents() -> None:
    class Agent:
        def run(self, task: str, image: str, **_: object) -> AgentResult:
            exec(compile("undefined", str(Path(cooperbench.__file__).with_name("mistake.py")), "exec"))
            return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])

    class Wrong:
        def run(self, task: str, image: str, **_: object) -> AgentResult:
            raise AssertionError

    arguments = AgentArguments(task="", image="", agent_id="agent1", model_name="", agents=[], log_dir="")
    with pytest.raises(AgentError) as ours:
        run_agent(Agent(), arguments)
    assert ending_of(ours.value, steps=3) is Ending.INFRA_ERROR
    failure = failure_of(ours.value)
    assert (failure.boundary, failure.kind) == ("cooperbench", "NameError")
    with pytest.raises(AgentError) as theirs:
        run_agent(Wrong(), arguments)
    assert ending_of(theirs.value, steps=3) is Ending.ERROR
