"""Trajectories in the Agent Trajectory Interchange Format (ATIF), version 1.7, for tools that read it.

Our own trajectory is the record; this is made from it and loses nothing that the format has a place for. Version 1.8 adds audio, which
agents here do not have, so 1.7 is written: more tools read it. The models below are also the validator: what breaks a rule of the
format is not written.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cooperbench.errors import UsageError
from cooperbench.records.base import Record
from cooperbench.records.files import read_model, write_bytes
from cooperbench.records.runs import open_run
from cooperbench.records.secrets import scrubbed
from cooperbench.records.trajectory import Trajectory, TrajectoryMessage

ATIF_VERSION = "ATIF-v1.7"
SOURCES: dict[object, Literal["system", "user", "agent"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "agent",
}
SUFFIX = "_traj.json"
AGENT_ONLY = ("model_name", "reasoning_content", "tool_calls", "metrics", "llm_call_count")


class AtifAgent(Record):
    """Who acted."""

    name: str
    version: str
    model_name: str | None = None
    extra: dict[str, Any] | None = None


class AtifToolCall(Record):
    """One call of a tool."""

    tool_call_id: str
    function_name: str
    arguments: dict[str, Any]


class AtifResult(Record):
    """What came of a call."""

    source_call_id: str | None = None
    content: str | None = None
    extra: dict[str, Any] | None = None


class AtifObservation(Record):
    """What came of a step."""

    results: tuple[AtifResult, ...]


class AtifMetrics(Record):
    """What one model call used."""

    prompt_tokens: int | None = Field(None, ge=0)
    completion_tokens: int | None = Field(None, ge=0)
    cached_tokens: int | None = Field(None, ge=0)
    cost_usd: float | None = Field(None, ge=0)


class AtifStep(Record):
    """One turn of the system, the user, or the agent."""

    step_id: int = Field(ge=1)
    timestamp: datetime | None = None
    source: Literal["system", "user", "agent"]
    message: str
    model_name: str | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[AtifToolCall, ...] | None = None
    observation: AtifObservation | None = None
    metrics: AtifMetrics | None = None
    llm_call_count: int | None = Field(None, ge=0)
    extra: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source != "agent" and (given := [name for name in AGENT_ONLY if getattr(self, name) is not None]):
            raise ValueError(f"a step of the {self.source} cannot have {', '.join(given)}")
        calls = {call.tool_call_id for call in self.tool_calls or ()}
        for result in self.observation.results if self.observation else ():
            if result.source_call_id is not None and result.source_call_id not in calls:
                raise ValueError(f"the result of {result.source_call_id} belongs to no call of its step")
        return self


class AtifFinalMetrics(Record):
    """What the whole trajectory used."""

    total_prompt_tokens: int | None = Field(None, ge=0)
    total_completion_tokens: int | None = Field(None, ge=0)
    total_cached_tokens: int | None = Field(None, ge=0)
    total_cost_usd: float | None = Field(None, ge=0)
    total_steps: int = Field(ge=0)


class AtifTrajectory(Record):
    """One member's trajectory."""

    schema_version: Literal["ATIF-v1.7"] = "ATIF-v1.7"
    session_id: str | None = Field(None, description="The episode; shared by all members of a team.")
    trajectory_id: str | None = None
    agent: AtifAgent
    steps: tuple[AtifStep, ...] = Field(min_length=1)
    final_metrics: AtifFinalMetrics | None = None
    notes: str | None = None
    extra: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if [step.step_id for step in self.steps] != list(range(1, len(self.steps) + 1)):
            raise ValueError("steps are not numbered from 1 without a gap")
        return self

    def to_json(self) -> str:
        """The document, with times in ISO 8601 and without fields that have no value."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"


def export_atif(name: str, target: Path, *, log_dir: Path | None = None) -> list[Path]:
    """Write each member's trajectory to `target`, in folders as in the run, and return the files.

    Raises `UsageError` when the folder has something in it, or the run has no trajectory yet.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", subject=str(target), hint="name a new one")
    directory, config = open_run(name, log_dir)
    sources = [path for path in sorted(directory.path.rglob(f"*{SUFFIX}")) if not _is_hidden(path, directory.path)]
    if not sources:
        raise UsageError(f"run {name!r} has no trajectory yet", subject=name, hint=f"cooperbench runs show {name}")
    version = config.versions.get("cooperbench", "unknown")
    written = []
    for source in sources:
        place = source.relative_to(directory.path)
        session = f"{config.run}/{place.parent.as_posix()}"
        document = to_atif(read_model(source, Trajectory), version=version, session_id=session)
        path = target / place.with_name(place.name.removesuffix(SUFFIX) + ".atif.json")
        write_bytes(path, scrubbed(document.to_json().encode())[0])
        written.append(path)
    return written


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def to_atif(trajectory: Trajectory, *, version: str, session_id: str | None = None) -> AtifTrajectory:
    """Convert one member's trajectory. `version` is that of the agent, `session_id` names the episode.

    An empty trajectory has one step that says so, because the format demands one.
    """
    steps = _steps(trajectory)
    if not steps:
        steps = [AtifStep(step_id=1, source="system", message="The agent recorded no messages.")]
    metrics = [step.metrics for step in steps if step.metrics is not None]
    return AtifTrajectory(
        session_id=session_id,
        trajectory_id=f"{session_id}/{trajectory.agent_id}" if session_id else trajectory.agent_id,
        agent=AtifAgent(
            name=trajectory.agent,
            version=version,
            model_name=trajectory.model,
            extra={"agent_id": trajectory.agent_id, "features": list(trajectory.features)},
        ),
        steps=tuple(steps),
        final_metrics=AtifFinalMetrics(
            total_prompt_tokens=_total(metric.prompt_tokens for metric in metrics),
            total_completion_tokens=_total(metric.completion_tokens for metric in metrics),
            total_cached_tokens=_total(metric.cached_tokens for metric in metrics),
            total_cost_usd=trajectory.cost,
            total_steps=len(steps),
        ),
        extra={"status": trajectory.status},
    )


def _total(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _steps(trajectory: Trajectory) -> list[AtifStep]:
    steps: list[AtifStep] = []
    for entry in trajectory.messages:
        if entry.message.get("role") == "tool" and steps and steps[-1].source == "agent":
            steps[-1] = _with_result(steps[-1], entry.message)
        else:
            steps.append(_step(len(steps) + 1, entry, trajectory.model))
    return steps


def _step(number: int, entry: TrajectoryMessage, model: str) -> AtifStep:
    message, role = entry.message, entry.message.get("role")
    source = SOURCES.get(role, "system")
    common: dict[str, Any] = {"step_id": number, "timestamp": _time(entry), "source": source, "message": _text(message)}
    if role not in SOURCES:
        common["extra"] = {"role": role}
    if source != "agent":
        return AtifStep(**common)
    extra = message.get("extra") if isinstance(message.get("extra"), dict) else {}
    usage = extra.get("usage") if isinstance(extra, dict) else None
    reasoning = message.get("reasoning_content")
    return AtifStep(
        **common,
        model_name=model,
        reasoning_content=reasoning if isinstance(reasoning, str) else None,
        tool_calls=_calls(message) or None,
        metrics=_metrics(usage) if isinstance(usage, dict) else None,
        llm_call_count=1,
    )


def _time(entry: TrajectoryMessage) -> datetime | None:
    """When the harness saw the message, or else when the model answered."""
    extra = entry.message.get("extra")
    stamp = extra.get("timestamp") if isinstance(extra, dict) else None
    try:
        answered = datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    except ValueError:
        answered = None
    return entry.time or answered


def _metrics(usage: dict[str, Any]) -> AtifMetrics:
    cost = usage.get("cost")
    known = isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0
    return AtifMetrics(
        prompt_tokens=_count(usage.get("input_tokens")),
        completion_tokens=_count(usage.get("output_tokens")),
        cached_tokens=_count(usage.get("cached_tokens")),
        cost_usd=cost if known else None,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _with_result(step: AtifStep, message: dict[str, Any]) -> AtifStep:
    call = message.get("tool_call_id")
    known = {made.tool_call_id for made in step.tool_calls or ()}
    result = AtifResult(
        source_call_id=call if call in known else None,
        content=_text(message),
        extra=None if call in known else {"tool_call_id": call},
    )
    before = step.observation.results if step.observation else ()
    return step.model_copy(update={"observation": AtifObservation(results=(*before, result))})


def _calls(message: dict[str, Any]) -> tuple[AtifToolCall, ...]:
    made = message.get("tool_calls")
    calls = []
    for position, call in enumerate(made if isinstance(made, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            identifier = str(call.get("id") or f"call_{position + 1}")
            name = str(function.get("name") or "unknown")
            calls.append(
                AtifToolCall(
                    tool_call_id=identifier, function_name=name, arguments=_arguments(function.get("arguments"))
                )
            )
    return tuple(calls)


def _arguments(given: object) -> dict[str, Any]:
    """Arguments as a mapping; those that are none are kept as text under `raw`."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return {"raw": given}
    return given if isinstance(given, dict) else {"raw": given}


def _text(message: dict[str, Any]) -> str:
    """A message's text: a string, the text parts of a list, or whatever else it holds as JSON."""
    content = message.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "\n".join(part["text"] for part in content)
    return json.dumps(content, ensure_ascii=False)
