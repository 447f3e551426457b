"""Read a chat completion in all the forms in which providers and servers send it.

The message that comes out is always the same: a text or nothing, and tool calls with ids of their own and arguments as text. Whatever is
wrong inside the calls is the model's, and stays for the loop to answer.
"""

import json
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import Completion
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.mini_swe_agent.provider_view import REASONING, clean, clean_text, content_text, json_object
from cooperbench.agents.reading import one_line
from cooperbench.errors import ModelAnswerError
from cooperbench.records import Usage


def read_answer(body: str) -> Completion:
    """Read the body of an answer: JSON, or events, even if they were not asked for. Raises `ModelError`."""
    events = EventReader()
    if body.lstrip().startswith(("data:", "event:", ":")):
        for line in body.splitlines():
            events.feed(line)
        return events.completion()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        if body.lstrip().startswith("<"):
            raise ModelAnswerError(f"the provider answered with a page instead of JSON: {one_line(body)}") from error
        raise ModelAnswerError(f"the provider did not answer with JSON: {one_line(body)!r}") from error
    return read_completion(answer)


def read_completion(answer: object) -> Completion:
    """Parse a chat completion leniently. Raises `ModelAnswerError` when it contains no message, and what an error in it says."""
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    given = answer if isinstance(answer, dict) else {}
    choice = _best(given)
    message = _message_of(choice)
    failure = given.get("error") or (choice.get("error") if message is None or not _says(message) else None)
    if failure or (message is None and choice == {} and given.get("choices") in (None, [])):
        raise provider_error(200, json.dumps(clean({"error": failure} if failure else given)))
    if message is None and _reason_of(choice):  # Gemini leaves the message out where a call was malformed
        message = {"role": "assistant", "content": None}
    if message is None:
        raise ModelAnswerError(f"the provider's answer contains no message: {one_line(json.dumps(clean(answer)), 400)}")
    return Completion(
        message=_plain_message(message),
        usage=read_usage(given.get("usage") or given),
        finish_reason=_reason_of(choice),
    )


def _reason_of(choice: dict[str, Any]) -> str | None:
    names = ("finish_reason", "stop_reason", "done_reason", "native_finish_reason")
    reason = next((choice[name] for name in names if choice.get(name) is not None), None)
    return None if reason is None else clean_text(str(reason))


def _best(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the first choice that says something, else the first. An answer without choices is its own choice."""
    choices = answer.get("choices")
    if isinstance(choices, dict):
        choices = list(choices.values())
    if not isinstance(choices, list):
        return answer if isinstance(answer.get("message"), dict) or answer.get("role") == "assistant" else {}
    usable = [choice for choice in choices if isinstance(choice, dict)]
    return next((choice for choice in usable if _says(_message_of(choice) or {})), usable[0] if usable else {})


def _message_of(choice: dict[str, Any]) -> dict[str, Any] | None:
    for name in ("message", "delta"):
        if isinstance(choice.get(name), dict):
            return dict(choice[name])
        if isinstance(choice.get(name), str):
            return {"content": choice[name]}
    if isinstance(choice.get("text"), str):
        return {"content": choice["text"]}
    return choice if choice.get("role") == "assistant" else None


def _says(message: dict[str, Any]) -> bool:
    return any(message.get(name) for name in ("content", "tool_calls", "function_call", "refusal"))


def _plain_message(message: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": "assistant", "content": content_text(message.get("content")) or None}
    if plain["content"] is None:
        specific = message.get("provider_specific_fields")
        refusal = message.get("refusal") or (specific.get("refusal") if isinstance(specific, dict) else None)
        plain["content"] = content_text(refusal) or None
    if calls := _calls(message):
        plain["tool_calls"] = calls
    kept = {name: clean(message[name]) for name in REASONING if message.get(name)}
    return {**plain, **kept}


def _calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the calls of a message, each with an id of its own."""
    given = message.get("tool_calls")
    given = [given] if isinstance(given, dict) else given if isinstance(given, list) else []
    if not given and isinstance(message.get("function_call"), dict):
        given = [message["function_call"]]
    content = message.get("content")
    if not given and isinstance(content, list):
        given = [
            part for part in content if isinstance(part, dict) and part.get("type") in {"tool_use", "function_call"}
        ]
    calls: list[dict[str, Any]] = []
    for call in given:
        if isinstance(call, dict):
            calls.append(_plain_call(call, {known["id"] for known in calls}))
    return calls


def _plain_call(call: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    function = call["function"] if isinstance(call.get("function"), dict) else call
    arguments = next((function[name] for name in ("arguments", "input", "parameters") if function.get(name)), "")
    arguments = (
        clean_text(arguments) if isinstance(arguments, str) else json.dumps(clean(arguments), ensure_ascii=False)
    )
    identifier = clean_text(str(call.get("id") or call.get("call_id") or ""))
    number = len(taken)
    while not identifier or identifier in taken:
        number += 1
        identifier = f"call{number:05d}"
    name = content_text(function.get("name")).strip()
    kept = {field: clean(call[field]) for field in REASONING if call.get(field)}
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}, **kept}


def read_usage(usage: object) -> Usage:
    """Parse the token counts of the provider, and the cost if it names one."""
    if not isinstance(usage, dict):
        return Usage()

    def first(*names: str) -> float | None:
        return next((found for name in names if (found := _number(usage.get(name))) is not None), None)

    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    cached = _number(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(
        input_tokens=_count(first("prompt_tokens", "input_tokens", "prompt_eval_count")),
        output_tokens=_count(first("completion_tokens", "output_tokens", "eval_count")),
        cached_tokens=_count(first("prompt_cache_hit_tokens", "cache_read_input_tokens") if cached is None else cached),
        cost=first("cost", "total_cost"),
    )


def _number(value: object) -> float | None:
    """Return a count or a cost, which may come as an integer, a float or text; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 1e15 else None


def _count(number: float | None) -> int | None:
    return None if number is None else int(number)


class EventReader:
    """Puts the events of a streamed answer together."""

    def __init__(self) -> None:
        self._begun = False
        """Whether a choice has come, be it empty."""
        self.started = False
        """Whether a part of the answer has come."""
        self.ended = False
        """Whether the server has said that nothing more will come."""
        self._message: dict[str, Any] = {}
        self._calls: dict[object, dict[str, Any]] = {}
        self._usage: object = None
        self._reason: object = None
        self._failure: object = None
        self._whole: object = None

    def feed(self, line: str) -> bool:
        """Read a line. Return whether it held a part of the answer."""
        name, _, data = line.partition(":")
        if name not in {"data", "error"}:
            return False
        if data.strip() == "[DONE]":
            self.ended = True
            return False
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return False
        if not isinstance(event, dict):
            return False
        return self.feed_event({"error": event} if name == "error" and "error" not in event else event)

    def feed_event(self, event: dict[str, Any]) -> bool:
        """Read an event. Return whether it held a part of the answer."""
        elsewhere = event.get("x_groq")
        self._usage = event.get("usage") or (isinstance(elsewhere, dict) and elsewhere.get("usage")) or self._usage
        self._failure = self._failure or event.get("error") or (event if event.get("object") == "error" else None)
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if choice.get("index"):  # another of several choices
            return False
        self._begun = self._begun or "delta" in choice
        self._reason = choice.get("finish_reason") or self._reason
        if isinstance(choice.get("message"), dict):
            self._whole = event
        delta = _message_of(choice) or {}
        came = any(bool(delta.get(name)) for name in ("content", "tool_calls", "function_call", "refusal", *REASONING))
        self._add(delta)
        self.started = self.started or came
        return came

    @property
    def said_why(self) -> bool:
        """Whether the reason has come for which the answer ends."""
        return bool(self._reason)

    def calls_are_whole(self) -> bool:
        """Return whether the arguments of all calls so far are JSON."""
        return all(json_object(call["function"]["arguments"]) is not None for call in self._calls.values())

    def completion(self, *, cut: bool = False) -> Completion:
        """Return the answer so far, as one that reached its length limit if it was `cut`. Raises `ModelError`."""
        if self._whole is not None:
            return read_completion(self._whole)
        if not (cut or self.ended or self._reason or self._failure):
            raise ModelAnswerError("the provider's answer broke off before its end")
        message = {"role": "assistant", **self._message}
        if self._calls:
            message["tool_calls"] = list(self._calls.values())
        reason = "length" if cut else self._reason
        choices = [{"message": message, "finish_reason": reason}] if self._begun or reason else []
        return read_completion({"choices": choices, "usage": self._usage, "error": None if cut else self._failure})

    def _add(self, delta: dict[str, Any]) -> None:
        for name in ("content", "refusal", "reasoning_content", "reasoning"):
            if isinstance(delta.get(name), str | list):
                self._message[name] = self._message.get(name, "") + content_text(delta[name])
        if isinstance(delta.get("reasoning_details"), list):
            self._message["reasoning_details"] = [
                *self._message.get("reasoning_details", []),
                *delta["reasoning_details"],
            ]
        for name in ("provider_specific_fields", "extra_content"):
            if isinstance(delta.get(name), dict):
                self._message[name] = {**self._message.get(name, {}), **delta[name]}
        blocks = delta.get("thinking_blocks")
        for block in blocks if isinstance(blocks, list) else []:
            if isinstance(block, dict):
                self._message["thinking_blocks"] = _with_block(self._message.get("thinking_blocks", []), block)
        calls = delta.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else []):
            if isinstance(call, dict):
                self._add_call(call, place)
        if isinstance(delta.get("function_call"), dict):
            self._add_call({"function": delta["function_call"]}, 0)

    def _add_call(self, part: dict[str, Any], place: int) -> None:
        """Add a part of a call. A part that brings another id begins another call, even under the same index (as Gemini's do)."""
        index = part.get("index")
        key: object = index if isinstance(index, int | str) else place
        known = self._calls.get(key)
        if known is not None and part.get("id") and known.get("id") and part["id"] != known["id"]:
            key = str(part["id"])
        call = self._calls.setdefault(key, {"id": None, "function": {"name": "", "arguments": ""}})
        call.update({name: value for name, value in part.items() if name in {"id", *REASONING} and value})
        function = part.get("function")
        if not isinstance(function, dict):
            return
        if isinstance(function.get("name"), str) and function["name"] != call["function"]["name"]:
            call["function"]["name"] += function["name"]
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call["function"]["arguments"] += arguments
        elif arguments:
            call["function"]["arguments"] = json.dumps(clean(arguments))


def _with_block(blocks: list[dict[str, Any]], part: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a part of a thinking block. The part with the signature ends the block; it may repeat the whole thought."""
    last = blocks[-1] if blocks else {}
    if not last or last.get("signature") or last.get("type") != part.get("type"):
        return [*blocks, part]
    before, thought = str(last.get("thinking") or ""), str(part.get("thinking") or "")
    whole = thought if part.get("signature") and thought.startswith(before) else before + thought
    return [*blocks[:-1], {**last, **part, "thinking": whole}]
