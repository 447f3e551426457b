"""A caller's request, from the command line or from Python, before any of it is checked."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cooperbench.errors import UsageError
from cooperbench.records import EvaluationChoices, Falsify, Limits

if TYPE_CHECKING:
    from cooperbench.runner.planning.team import TeamEntry

DEFAULT_AGENT = "mini_swe_agent"
DEFAULT_MODEL = "gpt-4o"


FALSIFY = "COOPERBENCH_FALSIFY"
"""The variable that sets what runs do without `--falsify`."""


def default_falsify() -> Falsify:
    """Return whether runs prove their passes when nothing is said: `on`, or what the environment names. Raises `UsageError`."""
    named = os.environ.get(FALSIFY) or "on"
    if named not in ("on", "warn", "off"):
        raise UsageError(f"{FALSIFY} is {named!r}", subject=FALSIFY, hint="set it to on, warn or off")
    return EvaluationChoices(falsify=named).falsify


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A request for one run. `None` leaves a choice to the defaults."""

    run_name: str | None = None
    experiment: str | None = None
    """The set of runs that this one belongs to."""
    agent: str | None = None
    model_name: str | None = None
    config: dict[str, Any] | None = None
    """The agent's `config`. Its keys take precedence over those of `agent_config`."""
    agent_config: Path | None = None
    team: str | None = None
    """The members of a mixed team: `agent:model,agent:model`, or the path of a YAML file."""
    members: "tuple[TeamEntry, ...] | None" = None
    """The members of a team that the caller put together, in the place of `team`."""
    setting: str = "coop"
    subset: str | None = None
    repo: str | None = None
    task: int | str | None = None
    features: tuple[int, ...] | None = None
    size: int = 2
    """Features in a group, where neither `features` nor the subset decides it."""
    repeats: int = 1
    """How often each group is run."""
    limit: int | None = None
    """Run only the first so many groups of an order that `seed` draws."""
    backend: str | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    """Fields of `EnvironmentOptions` that the run fixes."""
    git: bool = False
    messaging: bool = True
    dataset_dir: Path | None = None
    log_dir: Path | None = None
    limits: Limits = field(default_factory=Limits)
    team_budget: bool = False
    """Give the one agent of the solo setting the sum of the limits that a team's members would have."""
    max_cost: float | None = None
    policy: str = "naive@1"
    falsify: Falsify = field(default_factory=default_falsify)
    seed: int | None = None
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("agent_config", "dataset_dir", "log_dir"):
            given = getattr(self, name)
            if given is not None:  # callers have strings too
                object.__setattr__(self, name, Path(given).expanduser())
