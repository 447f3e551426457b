"""Answers from a script, for programs that ask a model by themselves: `scripted/FILE` behind any command-line agent.

A turn's tools are those of the built-in agent. Programs have others, so a command goes to the program's own shell tool, messages go the
way of `coop`, and handing in the work is an answer without a call. Any other name is that of a tool of the program, or its ending: programs
put the name of an MCP server in front. Requests for titles and the like offer no shell, and are answered
beside the script.
"""

import json
import re
import shlex
import threading
import time
from collections.abc import Sequence

from cooperbench.agents.mini_swe_agent.models.script_file import ScriptedCall, ScriptedTurn, WaitForMessage
from cooperbench.agents.mini_swe_agent.models.scripted import scripted_failure
from cooperbench.agents.mini_swe_agent.tools import BASH, SEND_MESSAGE, SUBMIT, WAIT_FOR_MESSAGE
from cooperbench.errors import ModelRequestError
from cooperbench.gateway.dialects import Json, ModelCall, TokenCounts
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.written_answers import (
    OfferedTool,
    WrittenAnswer,
    WrittenCall,
    offered_tools,
    written_reply,
)

SHELL = re.compile(r"bash|shell|exec_command|shell_command|local_shell|run_shell_command|terminal|execute_bash", re.I)
"""Names of shell tools in the programs that are built in."""
_OF_THE_BUILT_IN = frozenset({BASH.name, SEND_MESSAGE.name, SUBMIT.name, WAIT_FOR_MESSAGE.name})
DONE = "The work is done."


class ScriptedAnswers:
    """Plays turns in order. Safe to use from several threads."""

    def __init__(self, turns: Sequence[ScriptedTurn]) -> None:
        self._turns = list(turns)
        self._next = 0
        self._awaited: dict[str, int] = {}
        self._lock = threading.Lock()

    def ask(self, call: ModelCall) -> ProviderReply:
        """Answer with the next turn. Raises the failure that a turn plays, and `ModelRequestError` after the last turn."""
        offered = list(offered_tools(call))
        shell = next((tool for tool in offered if SHELL.fullmatch(tool.name)), None)
        if shell is None:
            return _counted(written_reply(call, WrittenAnswer(DONE, ())), TokenCounts(input=0, output=0, cost=0.0))
        text = json.dumps(call.body)
        with self._lock:
            turn, number = self._take(text)
            calls = self._calls(turn, text, offered, shell)
        time.sleep(turn.delay)
        if turn.error is not None:
            raise scripted_failure(turn.error, number)
        written = tuple(
            WrittenCall(f"call_{number}_{place}", tool.name, arguments, tool.namespace)
            for place, (tool, arguments) in enumerate(calls)
        )
        said = turn.text or ("" if calls else DONE)
        usage = turn.usage
        answer = WrittenAnswer(said, written, usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        counts = {"input": usage.input_tokens, "output": usage.output_tokens, "cached": usage.cached_tokens}
        return _counted(written_reply(call, answer), TokenCounts(**counts, cost=turn.cost))

    def _take(self, text: str) -> tuple[ScriptedTurn, int]:
        while self._next < len(self._turns) and not _holds(self._turns[self._next], text):
            self._next += 1
        if self._next < len(self._turns):
            self._next += 1
        elif not self._turns or not _submits(self._turns[-1]):
            raise ModelRequestError(
                f"the script has no turn after number {self._next}",
                by_model=True,
                hint="end the script with a call of `submit`",
            )
        return self._turns[self._next - 1], self._next

    def _calls(
        self, turn: ScriptedTurn, text: str, offered: Sequence[OfferedTool], shell: OfferedTool
    ) -> list[tuple[OfferedTool, Json]]:
        """Return the program's tools that a turn calls, with their arguments."""
        if turn.wait_for_message is not None:
            return [(shell, shell_arguments(shell, self._waiting(turn.wait_for_message, text)))]
        calls: list[tuple[OfferedTool, Json]] = []
        for call in turn.tool_calls:
            if call.name not in _OF_THE_BUILT_IN and (own := _named(offered, call.name)) is not None:
                calls.append((own, call.arguments if isinstance(call.arguments, dict) else {}))
            elif (command := _command(call)) is not None:
                calls.append((shell, shell_arguments(shell, command)))
        return calls

    def _waiting(self, wait: WaitForMessage, text: str) -> str:
        self._awaited[wait.sender] = self._awaited.get(wait.sender, 0) + 1
        if _read_from(wait.sender, text) >= self._awaited[wait.sender]:
            return f"echo 'read already: a message from {wait.sender}'"
        return f"coop recv --wait {wait.timeout:g} --from {shlex.quote(wait.sender)}"


def _counted(reply: ProviderReply, counts: TokenCounts) -> ProviderReply:
    reply.counted = lambda: counts
    return reply


def _holds(turn: ScriptedTurn, text: str) -> bool:
    """Return whether the messages read so far meet the conditions of the turn."""
    if turn.with_tool == SEND_MESSAGE.name and "coop send" not in text:
        return False
    if turn.told_by is not None and not _read_from(turn.told_by, text):
        return False
    return turn.not_told_by is None or not _read_from(turn.not_told_by, text)


def _read_from(sender: str, text: str) -> int:
    """Count the messages of a teammate in a request: as `coop recv` prints them, or as they are shown unasked."""
    return len(re.findall(rf"(?:--- from|Message from) {re.escape(sender)}\b", text))


def _submits(turn: ScriptedTurn) -> bool:
    return any(call.name == SUBMIT.name for call in turn.tool_calls) or not turn.tool_calls


def _named(offered: Sequence[OfferedTool], name: str) -> OfferedTool | None:
    """Return the program's tool of a name, or one that ends in it."""
    same = [tool for tool in offered if tool.name == name] or [tool for tool in offered if tool.name.endswith(name)]
    return same[0] if same else None


def _command(call: ScriptedCall) -> str | None:
    """Return the shell command for a call of a tool of the built-in agent; `None` for handing in."""
    given = call.arguments if isinstance(call.arguments, dict) else {}
    match call.name:
        case BASH.name:
            return str(given.get("command", "true"))
        case SEND_MESSAGE.name:
            return f"coop send {shlex.quote(str(given.get('to')))} {shlex.quote(str(given.get('message')))}"
        case WAIT_FOR_MESSAGE.name:
            sender = f" --from {shlex.quote(str(given['from']))}" if given.get("from") else ""
            return f"coop recv --wait {float(given.get('timeout', 60)):g}{sender}"
        case SUBMIT.name:
            return None
        case other:
            return f"echo {shlex.quote(f'there is no tool {other}')} >&2; exit 1"


def shell_arguments(tool: OfferedTool, command: str) -> Json:
    """Return the arguments for a shell tool: the command, and something of the right type for whatever else it requires."""
    properties: Json = tool.schema.get("properties") or {}
    name = next((each for each in ("command", "cmd") if each in properties), "command")
    listed = str((properties.get(name) or {}).get("type")).lower() == "array"
    arguments: Json = {name: ["bash", "-lc", command] if listed else command}
    for each in tool.schema.get("required") or ():
        arguments.setdefault(each, _value(properties.get(each) or {}))
    return arguments


def _value(schema: Json) -> object:
    if options := schema.get("enum"):
        return options[0]
    kinds: dict[str, object] = {"boolean": False, "integer": 60_000, "number": 60_000, "array": [], "object": {}}
    return kinds.get(str(schema.get("type")).lower(), "runs a command")
