"""The parts of the package mini-swe-agent in use, and its model with CooperBench's way to a provider.

Importing the package prints a banner, creates a folder and reads a `.env` file; variables switch that off, and it is imported late. Its
own calls through LiteLLM know no other server, repeat every failure ten times, and send the history as it is.
"""

import importlib
import os
import tempfile
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from cooperbench.agents.budget import add_usage, current_budget
from cooperbench.agents.journal import current_journal
from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models import make_model
from cooperbench.agents.mini_swe_agent.models.answers import read_usage
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.errors import UsageError, suggestion
from cooperbench.records import Usage, utc_now

PACKAGE_FIELDS = frozenset(
    {
        "action_regex",
        "cost_tracking",
        "format_error_template",
        "litellm_model_registry",
        "model_class",
        "multimodal_regex",
        "observation_template",
        "set_cache_control",
    }
)
"""Fields of the section `model` that the package reads. The others are CooperBench's."""
_BRIDGED = frozenset({"", "litellm", "litellm_textbased"})
"""Classes of models that ask for chat completions."""
BASH = Tool(
    name="bash",
    description="Execute a bash command",
    parameters={"command": {"type": "string", "description": "The bash command to execute"}},
    required=("command",),
)
"""As the package offers it."""


def split_section(section: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the section `model` into CooperBench's settings and the package's. Raises `UsageError` for what neither keeps."""
    given = section if section is not None else {}
    if not isinstance(given, dict):
        raise UsageError("`model` in the agent's configuration must be a mapping")
    theirs = {name: value for name, value in given.items() if name in PACKAGE_FIELDS}
    ours = {name: value for name, value in given.items() if name not in PACKAGE_FIELDS and name != "model_name"}
    for name in ours:
        if name not in ModelConfig.model_fields or name == "tool_format":
            known = sorted(PACKAGE_FIELDS | set(ModelConfig.model_fields) - {"model_name", "tool_format"})
            raise UsageError(
                f"mini_swe_agent_v2 does not know `model.{name}`{suggestion(name, known, '')}",
                subject=name,
                hint=f"known are {', '.join(known)}",
            )
    kind = str(theirs.get("model_class") or "")
    if kind not in _BRIDGED and (lost := sorted(set(ours) - {"model_kwargs"})):
        raise UsageError(
            f"mini_swe_agent_v2 cannot keep `model.{lost[0]}` with the model class {kind}",
            subject=lost[0],
            hint=f"leave out `model.model_class` or `model.{lost[0]}`",
        )
    return ours, theirs


class PublishedPackage:
    """The package, imported without side effects."""

    def __init__(self) -> None:
        os.environ.setdefault("MSWEA_SILENT_STARTUP", "1")
        os.environ.setdefault("MSWEA_GLOBAL_CONFIG_DIR", tempfile.mkdtemp(prefix="cooperbench-mini-"))
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        self.submitted = _load("exceptions").Submitted

    def config(self, name: str) -> dict[str, Any]:
        """Return one of the package's configurations, by name or path."""
        try:
            found = _load("config").get_config_from_spec(name)
        except FileNotFoundError as error:
            raise UsageError(f"mini-swe-agent has no configuration {name!r}", subject=name) from error
        assert isinstance(found, dict)
        return found

    def agent(self, model: "PackageModel", env: object, section: dict[str, Any]) -> Any:
        """Return the package's agent, which writes its messages to the journal as they come."""
        kind = type("JournalingAgent", (_Journaling, _load("agents.default").DefaultAgent), {})
        return kind(model, env, **section)

    def model(self, name: str, section: dict[str, Any], agent_id: str) -> "PackageModel":
        """Return the model `name` for the package's agent."""
        ours, theirs = split_section(section)
        if name.startswith(OFFLINE):
            offline = make_model(name, {"model": ours}, agent_id=agent_id)
            return PackageModel(offline, offline)
        kind = str(theirs.get("model_class") or "")
        # Otherwise the first call of a model without a known price raises an exception.
        kwargs = ours.get("model_kwargs") or {}
        model = _load("models").get_model(name, {"cost_tracking": "ignore_errors", "model_kwargs": kwargs, **theirs})
        if kind not in _BRIDGED:
            return PackageModel(None, model)
        if ours.get("base_url"):  # `drop_params` is for LiteLLM
            ours["model_kwargs"] = {key: value for key, value in kwargs.items() if key != "drop_params"}
        return PackageModel(make_model(name, {"model": ours}, agent_id=agent_id), model)


class _Journaling:
    """Adds to the package's agent that each message is written to the journal."""

    def add_messages(self, *messages: dict[str, Any]) -> Any:
        for message in messages:
            extra = message.get("extra") or {}
            if "usage" in extra and extra["usage"]["cost"] is None:
                extra["cost"] = None  # added up by now; the record does not say 0 for what nobody knows
            current_journal().add(message)
        added: Any = super()
        return added.add_messages(*messages)


class PackageModel:
    """A model of the package, within the budget. `ours` asks the provider, if it can; `theirs` formats and parses."""

    def __init__(self, ours: ToolCallingModel | None, theirs: Any) -> None:
        self._ours = ours
        self._theirs = theirs
        self.calls = 0
        self.usage = Usage(cost=0.0)

    def query(self, messages: list[dict[str, Any]], **kwargs: Any) -> Any:
        """Return the next message. Raises the package's `FormatError` for a call that it cannot read."""
        if self._ours is None:
            return self._query_theirs(messages, **kwargs)
        tools = (BASH,) if "textbased" not in type(self._theirs).__module__ else ()
        message = (
            self._ours.query(messages, tools=tools) if self._ours is not self._theirs else self._ours.query(messages)
        )
        self.calls, self.usage = self._ours.n_calls, self._ours.usage
        extra = {**message["extra"], "cost": message["extra"]["cost"] or 0.0}  # the package adds costs up
        if self._ours is not self._theirs:
            try:
                extra["actions"] = self._theirs._parse_actions(_response(message))
            except Exception as error:
                for carried in getattr(error, "messages", ()):
                    carried.setdefault("extra", {}).update({**extra, "response": message})
                raise
        return {**message, "extra": extra}

    def _query_theirs(self, messages: list[dict[str, Any]], **kwargs: Any) -> Any:
        current_budget().before_call()
        began = utc_now()
        try:
            with charged_by_caller():
                message = self._theirs.query(messages, **kwargs)
        except Exception as error:
            for carried in getattr(error, "messages", ()):
                self._charge(carried, began)
            raise
        self._charge(message, began)
        return message

    def _charge(self, message: dict[str, Any], began: datetime) -> None:
        extra = message.get("extra", {})
        response = extra.get("response")
        # The package reports 0 for a call without a known price.
        usage = read_usage(response.get("usage") if isinstance(response, dict) else None)
        usage = usage.model_copy(update={"cost": extra.get("cost") or None})
        self.calls += 1
        self.usage = add_usage(self.usage, usage)
        current_budget().charge(usage, began=began)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)


def _response(message: dict[str, Any]) -> SimpleNamespace:
    """Return a message in the shape of LiteLLM's response, as the package parses it."""
    calls = [
        SimpleNamespace(id=call["id"], function=SimpleNamespace(**call["function"]))
        for call in message.get("tool_calls") or ()
    ]
    answer = SimpleNamespace(content=message.get("content"), tool_calls=calls)
    choice = SimpleNamespace(message=answer, finish_reason=message["extra"].get("finish_reason"))
    return SimpleNamespace(choices=[choice])


def _load(module: str) -> Any:
    return importlib.import_module(f"minisweagent.{module}")
