"""Tools for models and servers that cannot call any: described in the system prompt, called in the text of an answer.

The form is that of Hermes and Qwen, which most small models have seen. What a model writes is found by `text_calls`.
"""

import json
from typing import Any

from cooperbench.agents.mini_swe_agent.models.text_calls import calls_in_text
from cooperbench.agents.mini_swe_agent.tools import WRITTEN_CALL, Tool

RESULT, RESULT_END = "<tool_response>", "</tool_response>"


def instructions(tools: tuple[Tool, ...]) -> str:
    """Describe the tools, and the exact form of a call."""
    listed = "\n".join(json.dumps(tool.definition()["function"], ensure_ascii=False) for tool in tools)
    return (
        f"You have these tools, each described as JSON:\n\n{listed}\n\n"
        f"To call a tool, write the call into your answer, exactly in this form:\n\n{WRITTEN_CALL}\n\n"
        f"End your answer after the call. Its result comes as the next message, between {RESULT} and {RESULT_END}; never write one yourself."
    )


def text_view(view: list[dict[str, Any]], tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """Return a view without tools: calls and results are text, and the system prompt describes the tools."""
    if view and view[0]["role"] == "system" and isinstance(view[0]["content"], str):
        first = {**view[0], "content": f"{view[0]['content']}\n\n{instructions(tools)}"}
        rest = view[1:]
    else:
        first, rest = {"role": "system", "content": instructions(tools)}, view
    plain = [first]
    for message in rest:
        written = _written(message)
        last = plain[-1]
        if written["role"] == last["role"] == "user" and isinstance(written["content"], str):
            plain[-1] = {**last, "content": f"{last['content']}\n\n{written['content']}"}
        else:
            plain.append(written)
    return plain


def without_results(text: str) -> str:
    """Cut an answer where the model goes on to write a result by itself, and what it would do next."""
    return text.partition(RESULT)[0]


def _written(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] == "tool":
        return {"role": "user", "content": f"{RESULT}\n{message['content']}\n{RESULT_END}"}
    if "tool_calls" not in message:
        return message
    functions = [call["function"] for call in message["tool_calls"]]
    text = message["content"] or ""
    # The record keeps the text of a call that was read from it.
    calls = [] if calls_in_text(text, {function["name"] for function in functions}) else map(_call, functions)
    return {
        **{name: value for name, value in message.items() if name != "tool_calls"},
        "content": "\n".join([text, *calls]).strip(),
    }


def _call(function: dict[str, Any]) -> str:
    call = json.dumps({"name": function["name"], "arguments": json.loads(function["arguments"])}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"
