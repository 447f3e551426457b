"""Read who the members of a team are.

A team is usually one agent framework and model for every member. `agent:model,agent:model` makes mixed ones, and a file says more::

    members:
      - agent: mini_swe_agent
        model: gpt-4o
        role: lead
      - agent: my_agent
        model: claude-sonnet-4-5
        agent_config: my_agent.yaml
        limits: {steps: 50}

What a member leaves out is taken from the command line. Members take the features of a group in order.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, ValidationError

from cooperbench.errors import UsageError
from cooperbench.records import Limits, Member, Record, Role, Setting
from cooperbench.runner.planning.request import RunRequest

_NAMED_MEMBER = re.compile(r"(?P<agent>[\w-]+(?:\.[\w-]+)+:[A-Za-z_]\w*|[^:\s]*)(?::(?P<model>\S+))?")


class _FileMember(Record):
    agent: str | None = None
    model: str | None = None
    role: Role | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    agent_config: Path | None = None
    limits: dict[str, Any] = Field(default_factory=dict)


class _TeamFile(Record):
    members: tuple[_FileMember, ...] = Field(min_length=1)


class AgentConfig(NamedTuple):
    """An agent's configuration as both forms in which an agent may take it."""

    values: dict[str, Any]
    path: str | None


def read_agent_config(path: Path | None, overrides: Mapping[str, Any] | None) -> AgentConfig:
    """Read an agent's YAML file. Raises `UsageError` when it cannot be read or is not a mapping."""
    if path is None:
        return AgentConfig(dict(overrides or {}), None)
    values = _read_yaml(path, "agent config")
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(
            f"agent config {path} is not a mapping of names to values",
            subject=str(path),
            hint="write `key: value` lines, such as `agent: {max_iterations: 30}`",
        )
    return AgentConfig(_merged(values, overrides or {}), str(path.resolve()))


def _merged(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Sections that both have are put together; within one, the keys of `overrides` win."""
    both = {
        name: {**values[name], **given} for name, given in overrides.items() if _is_section(values.get(name), given)
    }
    return {**values, **overrides, **both}


def _is_section(one: object, other: object) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def make_team(request: RunRequest, setting: Setting, size: int, *, agent: str, model: str) -> tuple[Member, ...]:
    """Make the members of a team for groups of `size` features; features are assigned later. Raises `UsageError`."""
    count = 1 if setting is Setting.SOLO else size
    if request.team is None:
        config = read_agent_config(request.agent_config, request.config)
        return tuple(
            Member(
                agent_id=_agent_id(setting, number),
                agent=agent,
                model=model,
                role=_role(setting, number, None),
                config=config.values,
                config_path=config.path,
                limits=request.limits,
            )
            for number in range(count)
        )
    members = _named_team(request.team) if _is_list(request.team) else _read_team(Path(request.team))
    if len(members) != count:
        raise UsageError(
            f"{request.team} names {len(members)} members, but a {setting} episode of {size} features has {count}",
            subject=request.team,
            hint="name one member for each feature of a group, in order",
        )
    return tuple(
        _from_file(entry, request, setting, number, agent=agent, model=model) for number, entry in enumerate(members)
    )


def assign_features(team: tuple[Member, ...], setting: Setting, features: tuple[int, ...]) -> tuple[Member, ...]:
    """The team with the features of one group handed out."""
    if setting is Setting.SOLO:
        return (team[0].model_copy(update={"features": features}),)
    return tuple(
        member.model_copy(update={"features": (feature,)}) for member, feature in zip(team, features, strict=True)
    )


def _from_file(
    entry: _FileMember, request: RunRequest, setting: Setting, number: int, *, agent: str, model: str
) -> Member:
    assert request.team is not None
    path = entry.agent_config
    if path is not None:
        path = Path(request.team).parent / path
    config = read_agent_config(path or request.agent_config, {**(request.config or {}), **entry.config})
    return Member(
        agent_id=_agent_id(setting, number),
        agent=entry.agent or agent,
        model=entry.model or model,
        role=_role(setting, number, entry.role),
        config=config.values,
        config_path=config.path,
        limits=_validated_limits(request, entry),
    )


def _validated_limits(request: RunRequest, entry: _FileMember) -> Limits:
    try:
        return Limits.model_validate({**request.limits.model_dump(), **entry.limits})
    except ValidationError as error:
        raise _bad_file(Path(request.team or ""), "limits", error) from error


def _agent_id(setting: Setting, number: int) -> str:
    return "solo" if setting is Setting.SOLO else f"agent{number + 1}"


def _role(setting: Setting, number: int, asked: Role | None) -> Role | None:
    if setting is not Setting.TEAM:
        return None
    return asked or (Role.LEAD if number == 0 else Role.MEMBER)


def _is_list(team: str) -> bool:
    """Whether a team is written out: no file of that name or ending."""
    return Path(team).suffix not in {".yaml", ".yml"} and not Path(team).is_file()


def _named_team(team: str) -> tuple[_FileMember, ...]:
    """Read `agent:model,agent:model`; either part may be left out, and an agent may be `package.module:Class`."""
    members = []
    for text in team.split(","):
        found = _NAMED_MEMBER.fullmatch(text.strip())
        if found is None or not any(found.groups()):
            raise UsageError(
                f"cannot read the member {text.strip()!r} of the team {team!r}",
                subject=team,
                hint="write agent:model,agent:model, or name a YAML file",
            )
        members.append(_FileMember(agent=found["agent"] or None, model=found["model"]))
    return tuple(members)


def _read_team(path: Path) -> tuple[_FileMember, ...]:
    try:
        members = _TeamFile.model_validate(_read_yaml(path, "team file")).members
    except ValidationError as error:
        raise _bad_file(path, "", error) from error
    if sum(member.role is Role.LEAD for member in members) > 1:
        raise UsageError(f"{path} names more than one lead", subject=str(path), hint="give `role: lead` to one member")
    return members


def _bad_file(path: Path, place: str, error: ValidationError) -> UsageError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in (place, *first["loc"]) if part != "") or "the file"
    return UsageError(
        f"team file {path}: {where}: {first['msg']}",
        subject=str(path),
        hint="each entry of `members:` may have agent, model, role, config, agent_config, limits",
    )


def _read_yaml(path: Path, kind: str) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read {kind} {path}: {error.strerror}", subject=str(path), hint="check the path"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"{kind} {path} is not valid YAML: {text}", subject=str(path), hint="mend the file") from error
