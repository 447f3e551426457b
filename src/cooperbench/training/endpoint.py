"""Where a member's model calls go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cooperbench.agents.mini_swe_agent.models.server_address import server_address
from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import Setting
from cooperbench.runner.planning.request import DEFAULT_AGENT
from cooperbench.runner.planning.team import TeamEntry

_NO_KEY = "EMPTY"
"""Servers of one's own want some key. The user's key for another provider must not go there."""


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server that answers for one member: the trainer's own, or that of a frozen teammate.

    Without `base_url`, `model` is a name as `cooperbench run -m` takes it. The key reaches the member's process alone.
    """

    base_url: str | None = None
    """Such as http://localhost:8000/v1; `/chat/completions` is added."""
    api_key: str | None = field(default=None, repr=False)
    model: str = ""
    """The name that the server knows the model by."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the section `model` of an agent's configuration: temperature, top_p, max_tokens, seed, model_kwargs, …"""

    @property
    def key(self) -> str | None:
        """The key to send; `None` where the member's process looks into the environment."""
        return self.api_key or (_NO_KEY if self.base_url else None)


def member_ids(setting: Setting, size: int) -> tuple[str, ...]:
    """Return the agent ids of a team on so many features, in the order of the features."""
    return (setting.value,) if setting.alone else tuple(f"agent{number + 1}" for number in range(size))


def team_entries(
    members: Mapping[str, Endpoint], setting: Setting, size: int, agent: str | None = None
) -> tuple[TeamEntry, ...]:
    """Turn endpoints into the members of a team. Raises `UsageError` for members too many or too few."""
    ids = member_ids(setting, size)
    for name, endpoint in members.items():
        if name not in ids:
            raise UnknownNameError("member", name, ids, hint=f"members={{{', '.join(f'{each!r}: …' for each in ids)}}}")
        if not isinstance(endpoint, Endpoint):
            raise UsageError(
                f"member {name} has {endpoint!r} in the place of an endpoint",
                subject=name,
                hint="Endpoint(base_url='http://localhost:8000/v1', model='policy')",
            )
        if endpoint.base_url is not None:
            server_address(endpoint.base_url, f"{name}: Endpoint(base_url='http://localhost:8000/v1', …)")
        if not endpoint.model:
            raise UsageError(
                f"the endpoint of {name} names no model", subject=name, hint="Endpoint(..., model='policy')"
            )
    if missing := [name for name in ids if name not in members]:
        raise UsageError(
            f"a {setting} episode of {size} features has the members {', '.join(ids)}, and {missing[0]} has no endpoint",
            subject=missing[0],
            hint=f"members={{…, {missing[0]!r}: Endpoint(...)}}",
        )
    return tuple(_entry(members[name], agent or DEFAULT_AGENT) for name in ids)


def _entry(endpoint: Endpoint, agent: str) -> TeamEntry:
    model = {**endpoint.sampling, **({"base_url": endpoint.base_url} if endpoint.base_url else {})}
    return TeamEntry(agent=agent, model=endpoint.model, config={"model": model} if model else {})
