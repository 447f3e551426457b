"""Find the recorded answers of a member in an earlier run, and say what to type when they are not there."""

from pathlib import Path
from typing import Any

from cooperbench.agents.assignment import Assignment
from cooperbench.agents.registry import offers
from cooperbench.errors import RecordError, UnknownNameError, UsageError
from cooperbench.records import EpisodeResult, GroupKey, Record, RunConfig, RunDirectory, Trajectory, read_model
from cooperbench.records.layout import EpisodeDirectory, member_stem
from cooperbench.records.replay import read_replay
from cooperbench.records.runs import open_run

PREFIX = "replay:"
RECORDING = "model_calls.jsonl.gz"
"""Name of the gateway's recording in the folder of a member's logs."""
_OF_A_PROVIDER = frozenset({"base_url", "api_key_env", "price_table"})


class Recording(Record):
    """The answers that one member got, and the agent that asked for them."""

    run: str
    agent: str
    episode: Path
    trajectory: Path
    calls: Path | None = None
    """The recording of the gateway, for programs that asked their model through it."""
    config: dict[str, Any] = {}
    """The agent's configuration, without what concerns a provider."""


def find_recording(name: str, assignment: Assignment) -> Recording:
    """Find what a member has to play. `name` is a run in the same folder, or the path of one.

    Raises `UsageError` for a run, an episode, a member or a history that is not there or cannot be played.
    """
    folder, _, run = name.rpartition("/")
    directory, config = open_run(run, folder or assignment.log_dir)
    _check_alike(config, assignment)
    group = _recorded_group(config, assignment.group)
    if group is None:
        hint = f"run what it ran: {_command(name, config)}"
        raise UsageError(f"run {run!r} has no episode {assignment.group}", subject=run, hint=hint)
    place = directory.episode(config.setting, group)
    result = _read_result(directory, place, group)
    agent_id = assignment.member.agent_id
    if agent_id not in result.agents:
        raise UnknownNameError(f"member of {group} in run {run!r}", agent_id, result.agents)
    member = result.agents[agent_id]
    agent = _playing_agent(place, config, member.features, member.agent)
    stem = member_stem(config.setting, member.features)
    trajectory, calls = place.trajectory(stem), place.path / f"{stem}_logs" / RECORDING
    recorded = calls.absolute() if calls.is_file() else None
    _check_history(run, agent_id, group, trajectory, agent, asks_gateway=recorded is not None)
    given = next((each.config for each in config.team if each.agent_id == agent_id), {})
    return Recording(
        run=run,
        agent=agent,
        episode=place.path.absolute(),
        trajectory=trajectory.absolute(),
        calls=recorded,
        config=_without_provider(given),
    )


def _check_alike(config: RunConfig, assignment: Assignment) -> None:
    """Raise `UsageError` when the members could not do what they did: another setting, or other means to work together."""
    for name in ("setting", "git", "messaging"):
        before, now = getattr(config, name), getattr(assignment.run, name)
        if before != now:
            text = f"run {config.run!r} has {name} {_word(before)}, and this one has {name} {_word(now)}"
            raise UsageError(text, subject=name, hint=f"run what it ran: {_command(config.run, config)}")


def _word(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _recorded_group(config: RunConfig, group: GroupKey) -> GroupKey | None:
    """Return the episode of the same repeat, else the first one of the same group."""
    return next((each for each in (group, group.first) if each in config.groups), None)


def _read_result(directory: RunDirectory, place: EpisodeDirectory, group: GroupKey) -> EpisodeResult:
    run = directory.path.name
    try:
        return read_model(place.result, EpisodeResult)
    except (FileNotFoundError, RecordError) as error:
        raise UsageError(
            f"run {run!r} has no result of {group}", subject=run, hint=f"finish it first: cooperbench runs show {run}"
        ) from error


def _playing_agent(place: EpisodeDirectory, config: RunConfig, features: tuple[int, ...], agent: str) -> str:
    """Return the agent whose loop plays the answers: of a replay, the one that it played."""
    if agent.startswith(PREFIX) and (report := read_replay(place, config.setting, features)) is not None:
        return report.agent
    return agent


def _check_history(
    run: str, agent_id: str, group: GroupKey, trajectory: Path, agent: str, *, asks_gateway: bool
) -> None:
    if not asks_gateway and not offers(agent, "plays_recordings"):
        text = f"the agent {agent} of run {run!r} cannot play recorded answers"
        raise UsageError(text, subject=agent, hint="mini_swe_agent and programs behind the gateway can")
    try:
        messages = read_model(trajectory, Trajectory).messages
    except (FileNotFoundError, RecordError) as error:
        text = f"the history of {agent_id} in {group} of run {run!r} cannot be read: {trajectory.name}"
        raise UsageError(text, subject=str(trajectory), hint=f"cooperbench runs show {run} {group}") from error
    if not asks_gateway and not any(entry.message.get("role") == "assistant" for entry in messages):
        text = f"{agent_id} in {group} of run {run!r} recorded no answer of a model"
        raise UsageError(text, subject=agent_id, hint=f"cooperbench runs show {run} {group}")


def _without_provider(config: dict[str, Any]) -> dict[str, Any]:
    model = config.get("model")
    if not isinstance(model, dict):
        return config
    return {**config, "model": {name: value for name, value in model.items() if name not in _OF_A_PROVIDER}}


def _command(name: str, config: RunConfig) -> str:
    """Return the command that replays a whole run."""
    tasks = {group.task for group in config.groups}
    repos = {group.repo for group in config.groups}
    features = {group.features for group in config.groups}
    words = ["cooperbench run", f"-a {PREFIX}{name}"]
    subset = config.tasks.subset or ("demo" if config.tasks.dataset == "demo" else None)
    words += [f"-s {subset}"] if subset else []
    words += [f"-r {repos.pop()}"] if len(repos) == 1 else []
    words += [f"-t {config.groups[0].task_id}"] if len(tasks) == 1 else []
    words += [f"-f {','.join(map(str, features.pop()))}"] if len(features) == 1 else []
    words.append(f"--setting {config.setting}")
    words += ["--git"] if config.git else []
    words += [] if config.messaging else ["--no-messaging"]
    return " ".join(words)
