"""The loop: ask the model, execute the tools that it calls, until it submits.

An exception or a status ends the loop, never a message in the history: everything in `messages` can be sent to a provider.
Messages of teammates are added between steps, before the model is asked: providers reject anything between calls and results.
"""

from typing import Any, NamedTuple

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field

from cooperbench.agents.budget import current_budget
from cooperbench.agents.journal import current_journal
from cooperbench.agents.mini_swe_agent.agents.teamwork import Mailbox, Teamwork
from cooperbench.agents.mini_swe_agent.history import History, cut_middle
from cooperbench.agents.mini_swe_agent.models.base import Model, ToolCallingModel, observation_text
from cooperbench.agents.mini_swe_agent.models.foreign import SUBMIT_COMMAND, ForeignModel, speaks_tools
from cooperbench.agents.mini_swe_agent.tools import BASH, SUBMIT, WRITTEN_CALL, Tool, ToolCall, read_tool_calls
from cooperbench.agents.reading import one_line, read_section
from cooperbench.environments import Environment
from cooperbench.errors import LimitReachedError, ModelContextWindowError, UsageError
from cooperbench.records import Record, utc_now

SYSTEM_PROMPT = """\
You are a software engineer. You work in a git repository with the tools you are given, one step after another.

Look at the code before you change it. Make the changes that the task asks for, in the style of the code around them, and no others.
Try what you changed. Every answer must call at least one tool; say in a sentence why. Commands do not share a shell: a `cd` or a
variable holds for one command only. Programs that ask for input, editors and pagers do not work.

{% if finish_with_tool %}When the work is done, call `submit`. What is in the repository's folder then is what you hand in, whether committed or not; nothing else
is read.{% else %}When the work is done, run `{{ submit_command }}` as a command of its own. What is in the repository's folder then is what you hand in,
whether committed or not; nothing else is read.{% endif %}
"""

SUBMITTED = "Submitted"
LIMITS_EXCEEDED = "LimitsExceeded"
UNREADABLE = "RepeatedFormatError"

NO_CALL = f"""\
There was no tool call in your answer that could be read. Call a tool: `bash` to go on, `submit` when the work is done.
If you cannot call tools, write the call exactly like this, as the last lines of your answer:
{WRITTEN_CALL}"""
CUT_SHORT = {
    "length": "Your answer was cut off because it was too long. Be brief.",
    "content_filter": "Your answer was stopped by a content filter. Go on in other words.",
}
"""What the model reads first, by the reason for which its answer ended."""


class AgentSettings(Record):
    """Settings of the loop."""

    system_prompt: str = Field(SYSTEM_PROMPT, description="Jinja template of the first message.")
    task_prompt: str = Field("{{ task }}", description="Jinja template of the second message.")
    max_iterations: int | None = Field(None, ge=1, description="Limit of model calls, besides the run's own limits.")
    observation_limit: int = Field(12_000, ge=200, description="Characters of a command's output that the model reads.")
    history_limit: int = Field(
        100_000, ge=1_000, description="Tokens that the model reads; older turns are shortened to fit."
    )
    unread_limit: int = Field(
        5, ge=1, description="Consecutive answers without a valid tool call before the agent gives up."
    )
    longest_command: float = Field(
        1800.0, gt=0, description="Longest command timeout that the model may request, in seconds."
    )
    longest_wait: float = Field(600.0, gt=0, description="Longest wait for a teammate, in seconds.")


class _Done(NamedTuple):
    """The result of a tool call."""

    text: str
    extra: dict[str, Any]


class DefaultAgent:
    """A tool-calling agent. `settings` are the fields of `AgentSettings`.

    `env` and `model` may come from CooperBench or from mini-swe-agent. With `comm`, the model exchanges messages with teammates.
    """

    def __init__(
        self,
        model: Model,
        env: Any,
        comm: Mailbox | None = None,
        agent_id: str = "agent",
        **settings: Any,
    ) -> None:
        self.settings = read_settings(settings)
        self.model = model
        self.env = env
        self.agent_id = agent_id
        self.n_calls = 0
        self._foreign = None if speaks_tools(model) else ForeignModel(model)
        self._team = Teamwork(comm, self.settings.longest_wait) if comm is not None else None
        self._history = History(self.settings.history_limit)
        self._unread = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The whole history in the chat completion format, with times, costs and tokens in `extra` of each message."""
        return self._history.messages

    @property
    def sent_messages(self) -> list[dict[str, Any]]:
        """The messages sent to teammates."""
        return self._team.sent if self._team else []

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that the model may call."""
        return (BASH, *(self._team.tools if self._team else ()), SUBMIT)

    def run(self, task: str = "", **variables: Any) -> tuple[str, dict[str, Any]]:
        """Work on the task, and return the status with details. `variables` are for the prompt templates.

        Reaching a limit is a status. Raises `ModelError`, `SandboxError` and `MailboxError`.
        """
        self._history = History(self.settings.history_limit)
        self._unread = 0
        given = {
            "task": task,
            "agent_id": self.agent_id,
            "finish_with_tool": self._foreign is None,
            "submit_command": SUBMIT_COMMAND,
            **variables,
        }
        self._add({"role": "system", "content": _render("system_prompt", self.settings.system_prompt, given)})
        self._add({"role": "user", "content": _render("task_prompt", self.settings.task_prompt, given)})
        try:
            while True:
                status = self.step()
                if status is not None:
                    return status, {"exit_status": status, "steps": self.n_calls}
        except LimitReachedError as error:
            limit = {"kind": error.kind, "value": error.value, "limit": error.limit}
            return LIMITS_EXCEEDED, {"exit_status": LIMITS_EXCEEDED, "steps": self.n_calls, "limit": limit}

    def step(self) -> str | None:
        """Execute one turn of the model. Return the status that ends the work, or `None` to go on."""
        most = self.settings.max_iterations
        if most is not None and self.n_calls >= most:
            raise LimitReachedError("steps", self.n_calls, most)
        if self._team is not None and (news := self._team.news()) is not None:
            self._add(news)
        return self._own_turn() if self._foreign is None else self._foreign_turn(self._foreign)

    def _own_turn(self) -> str | None:
        message = self._ask()
        self._add(message)
        calls = read_tool_calls(message, self.tools)
        readable = [call for call in calls if call.error is None]
        self._unread = 0 if readable else self._unread + 1
        if not calls:
            reason = CUT_SHORT.get(str(message.get("extra", {}).get("finish_reason")))
            self._add({"role": "user", "content": f"{reason}\n{NO_CALL}" if reason else NO_CALL})
        submitted = False
        for call in calls:
            if submitted:
                done = _Done("Not run: the work was submitted before.", {})
            else:
                done = self._execute_call(call)
                submitted = call.name == SUBMIT.name and call.error is None
            self._add({"role": "tool", "tool_call_id": call.id, "content": done.text, "extra": done.extra})
        if submitted:
            return SUBMITTED
        return UNREADABLE if self._unread >= self.settings.unread_limit else None

    def _ask(self) -> dict[str, Any]:
        """Ask the model, with a shorter history if the whole one is too long for it."""
        while True:
            view = self._history.view()
            try:
                message = self.model.query(view, tools=self.tools)
            except ModelContextWindowError as error:
                if not self._history.refused(error.window, error.asked):
                    raise
                continue
            self.n_calls += 1
            self._history.learn((message.get("extra", {}).get("usage") or {}).get("input_tokens"))
            return message

    def _execute_call(self, call: ToolCall) -> _Done:
        if call.error is not None:
            return _Done(call.error, {"unreadable": True})
        current_budget().note_action(f"{call.name} {one_line(' '.join(map(str, call.arguments.values())))}")
        if call.name == SUBMIT.name:
            return _Done("Submitted.", {})
        if self._team is not None and call.name in {tool.name for tool in self._team.tools}:
            text, senders = self._team.execute(call)
            return _Done(text, {"senders": senders} if senders else {})
        output = self._execute({"command": call.arguments["command"], "timeout": call.arguments.get("timeout")})
        return _Done(observation_text(output), {key: value for key, value in output.items() if key != "output"})

    def _execute(self, action: dict[str, Any]) -> dict[str, Any]:
        """Run a command in the environment, ours or mini-swe-agent's, and cut its output to the limit."""
        if isinstance(self.env, Environment):
            asked = action.get("timeout")
            timeout = min(float(asked), self.settings.longest_command) if asked and asked > 0 else None
            output: dict[str, Any] = dict(self.env.execute(action["command"], timeout=timeout))
        else:
            output = dict(self.env.execute({"command": action["command"]}))
        output["output"] = cut_middle(str(output.get("output", "")), self.settings.observation_limit)
        return output

    def _foreign_turn(self, model: ForeignModel) -> str | None:
        turn = model.turn(self._history.view(), self._execute)
        self.n_calls += 1
        for message in turn.messages:
            self._add(message)
        return turn.ended

    def _add(self, message: dict[str, Any]) -> None:
        extra = {"timestamp": utc_now().isoformat(), **message.get("extra", {})}
        self.messages.append({**message, "extra": extra})
        current_journal().add(self.messages[-1])


def read_settings(given: dict[str, Any]) -> AgentSettings:
    """Read the section `agent` of the configuration. Raises `UsageError` that names the wrong field."""
    return read_section("agent", AgentSettings, given)


def _render(field: str, template: str, variables: dict[str, Any]) -> str:
    try:
        # Sandboxed: a configuration file is not code.
        return SandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(variables).strip()
    except TemplateError as error:
        raise UsageError(f"`agent.{field}` in the agent's configuration: {error}", subject=field) from error


__all__ = ["AgentSettings", "DefaultAgent", "ToolCallingModel", "read_settings"]
