import importlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.agents import AgentArguments, AgentResult, check_result, run_agent
from cooperbench.errors import AgentError, CooperBenchError, LimitReachedError, SandboxLostError
from tests.agents.standin_llm import fails, serve

OFFERED = AgentArguments(task="the task", image="the image", agent_id="agent1", agents=["agent1", "agent2"])


def good(**changes: Any) -> AgentResult:
    fields: dict[str, Any] = {"status": "Submitted", "patch": "", "cost": 0.5, "steps": 3, "messages": []}
    return AgentResult(**{**fields, **changes})


class Everything:
    def run(self, **arguments: Any) -> AgentResult:
        return good(messages=[arguments])


class Few:
    def run(self, task: str, image: str, *, agent_id: str, unknown: int = 5) -> AgentResult:
        return good(messages=[{"task": task, "image": image, "agent_id": agent_id, "unknown": unknown}])


class OtherWords:
    def run(self, prompt: str, /, container: str, *, agents: list[str]) -> AgentResult:
        return good(messages=[{"prompt": prompt, "container": container, "agents": agents}])


class Splat:
    def run(self, *positional: str, config: Any = None) -> AgentResult:
        return good(messages=[{"positional": positional}])


def test_agents_get_what_their_signature_names() -> None:
    assert run_agent(Everything(), OFFERED).messages == [OFFERED.model_dump()]
    assert run_agent(Few(), OFFERED).messages == [
        {"task": "the task", "image": "the image", "agent_id": "agent1", "unknown": 5}
    ]
    assert run_agent(OtherWords(), OFFERED).messages[0]["container"] == "the image"
    assert run_agent(Splat(), OFFERED).messages == [{"positional": ["the task", "the image"]}]


def test_a_required_argument_that_nobody_gives_is_named() -> None:
    class Demanding:
        def run(self, task: str, image: str, *, api_token: str) -> AgentResult:
            return good()

    with pytest.raises(AgentError, match=r"'api_token'.*agent_id"):
        run_agent(Demanding(), OFFERED)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (ValueError("bad\nnews"), "raised ValueError: bad news"),
        (Unprintable(), "raised Unprintable: <Unprintable that cannot be shown"),
        (SystemExit(3), r"sys.exit\(3\)"),
        (GeneratorExit(), "raised GeneratorExit"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "raised UnicodeDecodeError"),
    ],
)
def test_exceptions_of_an_agent_become_one_line(raised: BaseException, text: str) -> None:
    class Raising:
        def run(self, task: str, image: str) -> AgentResult:
            raise raised

    with pytest.raises(AgentError, match=text) as caught:
        run_agent(Raising(), OFFERED)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("raised", [SandboxLostError("gone"), LimitReachedError("steps", 3, 3), KeyboardInterrupt()])
def test_errors_that_are_not_the_agents_pass_through(raised: BaseException) -> None:
    class Raising:
        def run(self, task: str, image: str) -> AgentResult:
            raise raised

    with pytest.raises(type(raised)) as caught:
        run_agent(Raising(), OFFERED)
    assert caught.value is raised


async def coroutine() -> AgentResult:
    return good()


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        (None, "returned nothing"),
        ({"status": "Submitted"}, "returned a dict"),
        (coroutine(), "async"),
        (good(status=None), "status is None"),
        (good(status=" "), "status is empty"),
        (good(patch=b"diff"), "patch is a bytes.*decode"),
        (good(patch=None), "patch is None"),
        (good(cost=-0.01), "cost is -0.01"),
        (good(cost=math.nan), "cost is nan"),
        (good(cost="free"), "cost is a str"),
        (good(cost=True), "cost is a bool"),
        (good(steps=-1), "steps is -1"),
        (good(steps=1.5), "steps is a float"),
        (good(steps=None), "steps is None"),
        (good(input_tokens=-5), "input_tokens is -5"),
        (good(messages=None), "messages is a NoneType"),
        (good(messages=["hello"]), r"messages\[0\] is a str"),
        (good(messages=[{("a", "tuple"): 1}]), "is not JSON"),
        (good(error=ValueError("x")), "error is a ValueError"),
    ],
)
def test_a_wrong_result_says_what_to_fix(returned: object, text: str) -> None:
    with pytest.raises(AgentError, match=text) as caught:
        check_result(returned)
    assert caught.value.hint


def test_unknown_cost_is_fine() -> None:
    assert check_result(good(cost=None)).cost is None


class SdkMessage:
    def model_dump(self) -> dict[str, Any]:
        return {"role": "assistant", "content": None}


def test_messages_of_an_sdk_become_dictionaries() -> None:
    result = check_result(
        good(messages=[SdkMessage(), {"role": "user", "raw": SdkMessage(), "path": {1, 2}.__class__}])
    )
    assert result.messages[0] == {"role": "assistant", "content": None}
    assert result.messages[1]["raw"] == {"role": "assistant", "content": None}


any_text = st.text(st.sampled_from('aé😀\x00\n"\\\udc80\ud800'), max_size=5)
json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | any_text | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(any_text, json_like), max_size=3))
def test_whatever_messages_hold_can_be_stored(messages: list[dict[str, Any]]) -> None:
    stored = check_result(good(messages=messages)).messages
    assert json.loads(json.dumps(stored, ensure_ascii=False, allow_nan=False).encode("utf-8")) == stored


@pytest.mark.needs("litellm")
@pytest.mark.slow  # the SDK takes seconds to import
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, "slow down", "ModelRateLimitError"),
        (401, "wrong key", "ModelAuthenticationError"),
        (404, "no such model", "ModelNotFoundError"),
        (503, "overloaded", "ModelOverloadedError"),
        (400, "messages: at least one is required", "AgentError"),
        (None, "", "ModelOverloadedError"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_failure_of_the_provider_that_an_agent_lets_pass_is_the_providers(
    status: int | None, body: str, kind: str, wrapped: bool
) -> None:
    class Asks:
        def run(self, task: str, image: str) -> AgentResult:
            try:
                openai.OpenAI(base_url=url, api_key="key", max_retries=0).post("/x", cast_to=object, body={})
            except openai.OpenAIError as error:
                if wrapped:
                    raise RuntimeError("no answer") from error
                raise
            return good()

    openai = importlib.import_module("openai")
    with serve(fails(status or 500, body)) as server:
        url = server.url if status else "http://127.0.0.1:9/v1"
        with pytest.raises(CooperBenchError) as caught:
            run_agent(Asks(), OFFERED)
    assert type(caught.value).__name__ == kind
