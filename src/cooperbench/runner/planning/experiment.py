"""A set of runs that belong together: settings x models and teams, each with the same groups and repeats.

    name: gap
    settings: [solo, coop]
    models: [gpt-4o, claude-sonnet-4-5]
    subset: lite
    repeats: 3

The other keys are those of one run. What only a team can have (`git`, `teams`) is left out of solo and native runs, and `team_budget` of the
others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, ValidationError

from cooperbench.errors import UsageError
from cooperbench.records import Limits, Record, Setting
from cooperbench.records.base import first_error
from cooperbench.records.runs import check_run_name, default_run_name
from cooperbench.runner.planning.request import DEFAULT_MODEL, RunRequest

_HINT = (
    "keys: name, settings, models, teams, repeats, limit, seed, agent, agent_config, subset, repo, task, features, …"
)


class ExperimentFile(Record):
    """The content of `experiment.yaml`. What it leaves out is as the command line or the caller says."""

    name: str | None = Field(None, description="Of the experiment; the runs are named after it.")
    settings: tuple[str, ...] | None = Field(None, min_length=1)
    models: tuple[str, ...] = ()
    teams: tuple[str, ...] = Field((), description="Teams as `--team` takes them.")
    repeats: int | None = Field(None, ge=1)
    limit: int | None = Field(None, ge=1)
    seed: int | None = None
    agent: str | None = None
    agent_config: Path | None = None
    subset: str | None = None
    repo: str | None = None
    task: int | None = None
    features: tuple[int, ...] | None = None
    size: int | None = None
    backend: str | None = None
    git: bool | None = None
    messaging: bool | None = None
    team_budget: bool | None = None
    max_cost: float | None = Field(None, gt=0, description="US dollars of each run.")
    policy: str | None = None
    limits: dict[str, Any] = Field(default_factory=dict, description="Fields of `Limits`, of each member.")


class Choices(NamedTuple):
    """What the runs of an experiment differ in."""

    settings: tuple[str, ...]
    models: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @property
    def several(self) -> bool:
        """True when there is more than one run."""
        return len(self.settings) * (len(self.models) + len(self.teams) or 1) > 1


def read_experiment(path: Path, request: RunRequest, choices: Choices) -> tuple[RunRequest, Choices]:
    """Put the content of a file in place of what it names in a request and choices. Raises `UsageError`."""
    try:
        file = ExperimentFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        limits = Limits.model_validate({**request.limits.model_dump(), **file.limits})
    except OSError as error:
        raise UsageError(f"cannot read the experiment {path}: {error.strerror}", subject=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"the experiment {path} is not YAML: {text}", subject=str(path)) from error
    except ValidationError as error:
        place, message = first_error(error)
        text = f"the experiment {path} is wrong at {place or 'the file'}: {message}"
        raise UsageError(text, subject=str(path), hint=_HINT) from error
    given = file.model_dump(exclude_none=True, exclude={"name", "settings", "models", "teams", "limits"})
    if file.agent_config is not None:
        given["agent_config"] = path.parent / file.agent_config
    teams = tuple(_beside(path, team) for team in file.teams)
    request = replace(request, **given, limits=limits, run_name=request.run_name or file.name or path.stem)
    return request, Choices(file.settings or choices.settings, file.models or choices.models, teams or choices.teams)


def _beside(path: Path, team: str) -> str:
    """Find a team's file beside the experiment's."""
    file = path.parent / team
    return str(file) if file.is_file() else team


def expand(request: RunRequest, choices: Choices) -> list[RunRequest]:
    """Make a request of each run. One alone keeps its name; several are named after the experiment and what they differ in.

    Raises `UsageError` for a name or a choice given twice.
    """
    if not choices.several:
        [setting] = choices.settings
        model = choices.models[0] if choices.models else request.model_name
        team = choices.teams[0] if choices.teams else request.team
        return [replace(request, setting=setting, model_name=model, team=team)]
    for names in choices:
        if twice := {name for name in names if names.count(name) > 1}:
            raise UsageError(f"{min(twice)!r} is named twice", subject=min(twice), hint="-k repeats each group")
    if request.run_name is not None:
        check_run_name(request.run_name)
    requests = [_of_setting(each, choices) for each in _combined(request, choices)]
    _check_names(requests)
    return requests


def _combined(request: RunRequest, choices: Choices) -> Iterator[RunRequest]:
    for setting in choices.settings:
        alone = _is_alone(setting)
        if alone and choices.teams and not choices.models:
            raise UsageError(
                f"{setting} runs need a model, and only teams are named", hint="-m MODEL, or models: in the file"
            )
        # Without any of them there is one run with the default model.
        models: Sequence[str | None] = choices.models or ((request.model_name,) if alone or not choices.teams else ())
        for model in models:
            yield replace(request, setting=setting, model_name=model, team=None)
        for team in () if alone else choices.teams:
            yield replace(request, setting=setting, team=team)


def _is_alone(setting: str) -> bool:
    """Return whether one agent gets all features; what is not a setting is for the plan to say."""
    return any(each.value == setting and each.alone for each in Setting)


def _of_setting(request: RunRequest, choices: Choices) -> RunRequest:
    """Name a run, and leave out what its setting cannot have."""
    experiment = request.run_name or default_run_name(request.agent, request.subset, request.repo) or "experiment"
    setting = request.setting if len(choices.settings) > 1 else None
    worker = request.model_name or DEFAULT_MODEL if request.team is None else Path(request.team).stem
    label = worker if len(choices.models) + len(choices.teams) > 1 else None
    return replace(
        request,
        run_name=default_run_name(experiment, setting, label),
        experiment=experiment,
        git=request.git and not _is_alone(request.setting),
        team_budget=request.team_budget and request.setting == Setting.SOLO.value,
    )


def _check_names(requests: Sequence[RunRequest]) -> None:
    names = [str(request.run_name) for request in requests]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(
            f"two runs would be called {min(twice)!r}", subject=min(twice), hint="put teams into YAML files"
        )
