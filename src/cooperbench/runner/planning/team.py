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

The command line supplies what a member leaves out. Members take the features of a group in order.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from cooperbench.agents.reading import load_yaml
from cooperbench.agents.registry import default_model
from cooperbench.agents.with_argument import TAKES_ARGUMENT
from cooperbench.errors import UsageError
from cooperbench.records import Limits, Member, Record, Role, Setting
from cooperbench.runner.planning.request import DEFAULT_AGENT, DEFAULT_MODEL, RunRequest

_NAMED_MEMBER = re.compile(
    rf"(?P<agent>(?:{'|'.join(TAKES_ARGUMENT)}):(?:\"[^\"]+\"|[^:\"]+)|[\w-]+(?:\.[\w-]+)+:[A-Za-z_]\w*|[^:\s]*)(?::(?P<model>\S+))?"
)
_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""A comma outside of quotes, which commands of `acp:"..."` may need."""


class TeamEntry(Record):
    """One member as it is asked for. `None` leaves a choice to the request."""

    agent: str | None = None
    model: str | None = None
    role: Role | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    agent_config: Path | None = None
    limits: dict[str, Any] = Field(default_factory=dict)


class _TeamFile(Record):
    members: tuple[TeamEntry, ...] = Field(min_length=1)


_SPENT = ("steps", "tokens", "cost")
"""Limits of what is used up, as opposed to time."""


class AgentConfig(NamedTuple):
    """An agent's configuration in both forms that an agent may ask for."""

    values: dict[str, Any]
    path: str | None


def read_agent_config(path: Path | None, overrides: Mapping[str, Any] | None) -> AgentConfig:
    """Read an agent's YAML file. Raises `UsageError` when it cannot be read or is not a mapping."""
    if path is None:
        return AgentConfig(dict(overrides or {}), None)
    values = load_yaml("agent config", path)
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(
            f"agent config {path} is not a mapping of names to values",
            subject=str(path),
            hint="write `key: value` lines, such as `agent: {max_iterations: 30}`",
        )
    return AgentConfig(_merged(values, overrides or {}), str(path.resolve()))


def _merged(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two configurations, section by section; the keys of `overrides` take precedence."""
    both = {
        name: {**values[name], **given} for name, given in overrides.items() if _is_section(values.get(name), given)
    }
    return {**values, **overrides, **both}


def _is_section(one: object, other: object) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def make_team(request: RunRequest, setting: Setting, size: int) -> tuple[Member, ...]:
    """Make the members of a team for groups of `size` features; features are assigned later. Raises `UsageError`."""
    count = 1 if setting.alone else size
    if request.members is not None:
        entries = request.members
    elif request.team is None:
        entries = (TeamEntry(),) * count
    elif _is_list(request.team):
        entries = _named_team(request.team)
    else:
        entries = _read_team(Path(request.team))
    if len(entries) != count:
        raise UsageError(
            f"a {setting} episode of {size} features needs {count} members, but {request.team} names {len(entries)}",
            subject=request.team,
            hint="name one member for each feature of a group, in order",
        )
    team = tuple(_make_member(entry, request, setting, number) for number, entry in enumerate(entries))
    if setting is Setting.NATIVE:  # its own members work at the same time, as those of coop do
        return tuple(_with_budget_of(size, member, _SPENT) for member in team)
    return (
        tuple(_with_budget_of(size, member, (*_SPENT, "wall_time")) for member in team) if request.team_budget else team
    )


def _with_budget_of(members: int, one: Member, names: Sequence[str]) -> Member:
    """Give one member what so many have together of the limits `names`."""
    limits = {name: getattr(one.limits, name) for name in names}
    summed = {name: None if limit is None else limit * members for name, limit in limits.items()}
    return one.model_copy(update={"limits": one.limits.model_copy(update=summed)})


def assign_features(team: tuple[Member, ...], setting: Setting, features: tuple[int, ...]) -> tuple[Member, ...]:
    """Hand out the features of one group to the team."""
    if setting.alone:
        return (team[0].model_copy(update={"features": features}),)
    return tuple(
        member.model_copy(update={"features": (feature,)}) for member, feature in zip(team, features, strict=True)
    )


def _make_member(entry: TeamEntry, request: RunRequest, setting: Setting, number: int) -> Member:
    path = request.agent_config
    if entry.agent_config is not None:
        path = Path(request.team or "").parent / entry.agent_config
    config = read_agent_config(path, {**(request.config or {}), **entry.config})
    agent = entry.agent or request.agent or DEFAULT_AGENT
    return Member(
        agent_id=setting.value if setting.alone else f"agent{number + 1}",
        agent=agent,
        model=entry.model or request.model_name or default_model(agent, DEFAULT_MODEL),
        role=_role(setting, number, entry.role),
        config=config.values,
        config_path=config.path,
        limits=_limits(entry, request),
    )


def _limits(entry: TeamEntry, request: RunRequest) -> Limits:
    try:
        return Limits.model_validate({**request.limits.model_dump(), **entry.limits})
    except ValidationError as error:
        raise _bad_file(Path(request.team or ""), "limits", error) from error


def _role(setting: Setting, number: int, asked: Role | None) -> Role | None:
    if setting is not Setting.TEAM:
        return None
    return asked or (Role.LEAD if number == 0 else Role.MEMBER)


def _is_list(team: str) -> bool:
    """Tell `agent:model,agent:model` from the path of a file."""
    return not Path(team).is_file() and (":" in team or Path(team).suffix not in {".yaml", ".yml"})


def _named_team(team: str) -> tuple[TeamEntry, ...]:
    """Read `agent:model,agent:model`; either part may be left out, and an agent may be `package.module:Class` or `replay:RUN`."""
    members = []
    for text in _COMMA.split(team):
        found = _NAMED_MEMBER.fullmatch(text.strip())
        if found is None or not any(found.groups()):
            raise UsageError(
                f"cannot read the member {text.strip()!r} of the team {team!r}",
                subject=team,
                hint="write agent:model,agent:model, or name a YAML file",
            )
        members.append(TeamEntry(agent=found["agent"].replace('"', "") or None, model=found["model"]))
    return tuple(members)


def _read_team(path: Path) -> tuple[TeamEntry, ...]:
    try:
        members = _TeamFile.model_validate(load_yaml("team file", path)).members
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
