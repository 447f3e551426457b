"""Trajectories in the Agent Trajectory Interchange Format (ATIF), version 1.7, for tools that read it.

The trajectory is the record; this is made from it and loses nothing that the format has a place for. Version 1.8 adds audio, which
agents here do not have, so 1.7 is written: more tools read it. The models of the `atif` package check every document before it is written.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import atif

from cooperbench.errors import UsageError
from cooperbench.records.files import is_linked, matching, read_model, write_bytes
from cooperbench.records.layout import DEPTH
from cooperbench.records.paths import AnyPath
from cooperbench.records.runs import open_run
from cooperbench.records.secrets import scrubbed
from cooperbench.records.trajectory import Trajectory, TrajectoryMessage

ATIF_VERSION = "ATIF-v1.7"
SOURCES: dict[object, str] = {"system": "system", "developer": "system", "user": "user", "assistant": "agent"}
SUFFIX = "_traj.json"
Json = dict[str, Any]


def export_atif(name: str, target: AnyPath, *, log_dir: AnyPath | None = None) -> list[Path]:
    """Write each member's trajectory to `target`, in folders as in the run, and return the files.

    Raises `UsageError` when the folder has something in it, or the run has no trajectory yet.
    """
    target = Path(target).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", subject=str(target), hint="name a new one")
    directory, config = open_run(name, log_dir)
    episodes = [directory.episode(config.setting, group).path for group in config.groups]
    found = sorted(path for episode in episodes for path in matching(episode, f"*{SUFFIX}"))
    sources = [path for path in found if not is_linked(path, DEPTH + 1)]
    if not sources:
        raise UsageError(f"run {name!r} has no trajectory yet", subject=name, hint=f"cooperbench runs show {name}")
    version = config.versions.get("cooperbench", "unknown")
    written = []
    for source in sources:
        place = source.relative_to(directory.path)
        session = f"{config.run}/{place.parent.as_posix()}"
        document = to_atif(read_model(source, Trajectory), version=version, session_id=session)
        path = target / place.with_name(place.name.removesuffix(SUFFIX) + ".atif.json")
        write_bytes(path, scrubbed((document.model_dump_json(indent=2, exclude_none=True) + "\n").encode())[0])
        written.append(path)
    return written


def to_atif(trajectory: Trajectory, *, version: str, session_id: str | None = None) -> atif.Trajectory:
    """Convert one member's trajectory. `version` is that of the agent, `session_id` names the episode.

    An empty trajectory has one step that says so, because the format demands one.
    """
    steps = _steps(trajectory)
    metrics = [step["metrics"] for step in steps if step.get("metrics")]
    document = {
        "schema_version": ATIF_VERSION,
        "session_id": session_id,
        "trajectory_id": f"{session_id}/{trajectory.agent_id}" if session_id else trajectory.agent_id,
        "agent": {
            "name": trajectory.agent,
            "version": version,
            "model_name": trajectory.model,
            "extra": {"agent_id": trajectory.agent_id, "features": list(trajectory.features)},
        },
        "steps": steps or [{"step_id": 1, "source": "system", "message": "The agent recorded no messages."}],
        "final_metrics": {
            "total_prompt_tokens": _total(metric["prompt_tokens"] for metric in metrics),
            "total_completion_tokens": _total(metric["completion_tokens"] for metric in metrics),
            "total_cached_tokens": _total(metric["cached_tokens"] for metric in metrics),
            "total_cost_usd": trajectory.cost,
            "total_steps": len(steps) or 1,
        },
        "extra": {"status": trajectory.status},
    }
    return atif.Trajectory.model_validate(document)


def _total(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _steps(trajectory: Trajectory) -> list[Json]:
    steps: list[Json] = []
    callers: dict[object, Json] = {}  # programs report several calls before the first result
    for entry in trajectory.messages:
        caller = None
        if entry.message.get("role") == "tool":
            last = steps[-1] if steps and steps[-1]["source"] == "agent" else None
            call = entry.message.get("tool_call_id")
            caller = callers.get(call, last) if isinstance(call, str) else last
        if caller is not None:
            _add_result(caller, entry.message)
        else:
            steps.append(_step(len(steps) + 1, entry, trajectory.model))
            callers.update({made["tool_call_id"]: steps[-1] for made in steps[-1].get("tool_calls") or ()})
    return steps


def _step(number: int, entry: TrajectoryMessage, model: str) -> Json:
    message, role = entry.message, entry.message.get("role")
    source = SOURCES.get(role, "system")
    step: Json = {"step_id": number, "timestamp": _time(entry), "source": source, "message": _text(message)}
    if role not in SOURCES:
        extra = message.get("extra")
        step["extra"] = {**(extra if isinstance(extra, dict) else {}), "role": role}
    if source != "agent":
        return step
    extra = message.get("extra")
    usage = extra.get("usage") if isinstance(extra, dict) else None
    reasoning = message.get("reasoning_content")
    return {
        **step,
        "model_name": model,
        "reasoning_content": reasoning if isinstance(reasoning, str) else None,
        "tool_calls": _calls(message) or None,
        "metrics": _metrics(usage) if isinstance(usage, dict) else None,
        "llm_call_count": 1,
    }


def _time(entry: TrajectoryMessage) -> str | None:
    """Return when the harness saw the message, or else when the model answered."""
    extra = entry.message.get("extra")
    stamp = extra.get("timestamp") if isinstance(extra, dict) else None
    try:
        answered = datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    except ValueError:
        answered = None
    time = entry.time or answered
    return None if time is None else time.isoformat()


def _metrics(usage: Json) -> Json:
    cost = usage.get("cost")
    known = isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0
    return {
        "prompt_tokens": _count(usage.get("input_tokens")),
        "completion_tokens": _count(usage.get("output_tokens")),
        "cached_tokens": _count(usage.get("cached_tokens")),
        "cost_usd": cost if known else None,
    }


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _add_result(step: Json, message: Json) -> None:
    call = message.get("tool_call_id")
    result: Json = {"content": _text(message)}
    if call in [made["tool_call_id"] for made in step["tool_calls"] or ()]:
        result["source_call_id"] = call
    else:
        result["extra"] = {"tool_call_id": call}
    step.setdefault("observation", {"results": []})["results"].append(result)


def _calls(message: Json) -> list[Json]:
    made = message.get("tool_calls")
    calls = []
    for position, call in enumerate(made if isinstance(made, list) else (), 1):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            calls.append(
                {
                    "tool_call_id": str(call.get("id") or f"call_{position}"),
                    "function_name": str(function.get("name") or "unknown"),
                    "arguments": _arguments(function.get("arguments")),
                }
            )
    return calls


def _arguments(given: object) -> dict[str, Any]:
    """Return arguments as a mapping; anything else is kept under `raw`."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return {"raw": given}
    return given if isinstance(given, dict) else {"raw": given}


def _text(message: dict[str, Any]) -> str:
    """Return a message's text: a string, the text parts of a list, or whatever else it holds as JSON."""
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
