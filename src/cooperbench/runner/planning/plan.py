"""Turn a request into the episodes to be run, and check everything that can be checked before anything starts.

Nothing is written here. Every mistake is a `UsageError` that names it, the alternatives, and the next command to type.
"""

import hashlib
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cooperbench import __version__
from cooperbench.agents import check_config, describe
from cooperbench.agents.assignment import Assignment, episode_config
from cooperbench.collaboration.prompts import templates_digest
from cooperbench.environments import (
    Capability,
    EnvironmentOptions,
    backend_names,
    capabilities,
    default_backend,
    get_backend,
)
from cooperbench.errors import CapabilityError, UnknownNameError, UsageError
from cooperbench.evaluation import resolve_policy
from cooperbench.records import (
    EpisodeDirectory,
    GroupKey,
    Member,
    RunConfig,
    RunDirectory,
    Setting,
    TaskRevision,
    default_log_dir,
    first_error,
    utc_now,
)
from cooperbench.records.layout import DEPTH
from cooperbench.records.runs import check_run_name, default_run_name
from cooperbench.records.secrets import secret_fields
from cooperbench.runner.planning.request import RunRequest
from cooperbench.runner.planning.sampling import choose_episodes
from cooperbench.runner.planning.team import assign_features, make_team
from cooperbench.runner.planning.usable import usable_groups
from cooperbench.tasks import Group, Task, discover_groups, find_tasks

DEMO = "demo"


@dataclass(frozen=True)
class Episode:
    """One team on one group, and where its record lies."""

    group: GroupKey
    task: Task
    members: tuple[Member, ...]
    directory: EpisodeDirectory


@dataclass(frozen=True)
class Plan:
    """A run that could start."""

    config: RunConfig
    directory: RunDirectory
    episodes: tuple[Episode, ...]
    notes: tuple[str, ...] = ()
    """What the user should know about the choice of episodes."""
    faults: tuple[str, ...] = ()
    """Why none of the episodes could be judged; empty for a plan that can be carried out."""
    team: tuple[Member, ...] = ()
    """The members with the files of this machine; the configuration has them as they are recorded."""

    @property
    def tasks(self) -> list[Task]:
        """The tasks that the run touches, each once."""
        return list({episode.task.key: episode.task for episode in self.episodes}.values())


def make_plan(request: RunRequest) -> Plan:
    """Check a request and lay out its episodes. Raises `UsageError` or, for malformed data, `TaskError`."""
    setting = _setting(request)
    if request.features is not None:
        _check_size(setting, len(request.features), None)
    tasks, unreadable = find_tasks(request.dataset_dir, request.subset, request.repo, request.task)
    found = discover_groups(tasks, features=request.features, subset=request.subset, size=request.size)
    groups, unusable, none_left = usable_groups(found)
    for group in groups:
        _check_size(setting, len(group.features), group.task.key)
    episodes = choose_episodes(groups, limit=request.limit, repeats=request.repeats, seed=request.seed)
    team = _team(request, setting, groups)
    backend = _backend(request, tasks, team)
    environment = _environment(request.environment, backend)
    config = RunConfig(
        run=_name(request, setting, team),
        experiment=request.experiment,
        setting=setting,
        team=team,
        tasks=_revision(request, groups),
        groups=tuple(key for key, _ in episodes),
        backend=backend,
        environment=environment,
        network=get_backend(backend).network(EnvironmentOptions.model_validate(environment)),
        git=request.git,
        messaging=request.messaging,
        task_board=setting is Setting.TEAM,
        policy=resolve_policy(request.policy),
        falsify=request.falsify,
        prompt_hash=templates_digest(),
        seed=request.seed,
        max_cost=request.max_cost,
        versions={"cooperbench": __version__, "python": platform.python_version()},
        command=request.command,
        created_at=utc_now(),
    )
    directory = RunDirectory((request.log_dir or default_log_dir()).absolute() / config.run)
    left_out = tuple(f"left out: {line}" for line in (*unreadable, *unusable))
    laid_out = _lay_out(directory, config, episodes)
    return Plan(config.recorded(), directory, laid_out, left_out, unusable if none_left else (), team)


def assignment_of(config: RunConfig, episode: Episode, member: Member) -> Assignment:
    """Describe one member's part of an episode for its agent."""
    log_dir = episode.directory.path.parents[DEPTH].parent
    return Assignment(run=config, member=member, group=episode.group, task=episode.task.path, log_dir=log_dir)


def _lay_out(
    directory: RunDirectory, config: RunConfig, episodes: Iterable[tuple[GroupKey, Task]]
) -> tuple[Episode, ...]:
    """Lay out the episodes, and let each agent check those that it would work on. Raises `UsageError`."""
    laid_out = tuple(_episode(directory, config, key, task) for key, task in episodes)
    for episode in laid_out:
        for member in episode.members:
            episode_config(assignment_of(config, episode, member))
    return laid_out


def _episode(directory: RunDirectory, config: RunConfig, key: GroupKey, task: Task) -> Episode:
    members = assign_features(config.team[: len(key.features)], config.setting, key.features)
    return Episode(key, task, members, directory.episode(config.setting, key))


def _setting(request: RunRequest) -> Setting:
    try:
        setting = Setting(request.setting)
    except ValueError:
        raise UnknownNameError("setting", request.setting, [setting.value for setting in Setting]) from None
    if request.git and setting.alone:
        raise UsageError(
            f"--git shares a repository between agents, and {setting} has one agent", hint="leave out --git"
        )
    return setting


def _check_size(setting: Setting, size: int, task: str | None) -> None:
    if not setting.alone and size < 2:
        raise UsageError(
            f"{setting.value} needs at least two features, but got {size}",
            subject=task,
            hint="name them as -f 1,2, or use --setting solo",
        )


def _backend(request: RunRequest, tasks: Iterable[Task], team: tuple[Member, ...]) -> str:
    """Choose the backend: the one asked for, else that of the agents' configuration, else what suits the tasks."""
    bundled = all(task.recipe.bundled for task in tasks)
    configured = {str(member.config["backend"]) for member in team if member.config.get("backend")}
    if request.backend is None and len(configured) > 1:
        raise UsageError(
            f"the members are configured for different backends: {', '.join(sorted(configured))}",
            hint="choose one with --backend",
        )
    backend = request.backend or next(iter(configured), default_backend(bundled=bundled))
    if backend not in backend_names():
        raise UnknownNameError("backend", backend, backend_names(), hint="--backend local or --backend docker")
    return backend


def _environment(overrides: dict[str, Any], backend: str) -> dict[str, Any]:
    """Check the run's environment options, and that the backend supports them."""
    unknown = set(overrides) - set(EnvironmentOptions.model_fields)
    if unknown:
        raise UnknownNameError("environment option", min(unknown), EnvironmentOptions.model_fields)
    try:
        needed = EnvironmentOptions.model_validate(overrides).needed_capabilities()
    except ValidationError as error:
        place, message = first_error(error)
        name = place or "network"  # the only one that depends on another
        raise UsageError(f"environment option {name}: {message}", subject=name) from error
    for missing in sorted(needed.keys() - capabilities(backend)):
        raise _unable(backend, missing)
    return overrides


def _unable(backend: str, missing: Capability) -> UsageError:
    able = [name for name in backend_names() if missing in _capabilities_or_none(name)]
    return UsageError(
        f"backend {backend!r} does not support {missing.value.replace('_', ' ')}",
        subject=backend,
        hint=f"use another backend ({', '.join(able) or 'none can'}) or omit the option",
    )


def _capabilities_or_none(backend: str) -> frozenset[Capability]:
    try:
        return capabilities(backend)
    except (UsageError, CapabilityError):  # an optional backend that is not installed
        return frozenset()


def _team(request: RunRequest, setting: Setting, groups: list[Group]) -> tuple[Member, ...]:
    sizes = sorted({len(group.features) for group in groups})
    if request.team is not None and not setting.alone and len(sizes) > 1:
        raise UsageError(
            f"a named team needs groups of one size, and these have sizes {sizes}",
            subject=request.team,
            hint="select groups of one size with -f or --size",
        )
    if request.team_budget and (setting is not Setting.SOLO or len(sizes) > 1):
        raise UsageError(
            f"--team-budget needs the setting solo and groups of one size, and this is {setting.value} with sizes {sizes}",
            hint="--setting solo --size 2",
        )
    if setting is Setting.NATIVE and len(sizes) > 1:
        raise UsageError(
            f"native has the budget of a team and needs groups of one size, and these have sizes {sizes}",
            hint="select groups of one size with -f or --size",
        )
    team = make_team(request, setting, sizes[-1])
    for name in dict.fromkeys(member.agent for member in team):
        described = describe(name)
        if described.error is not None:
            raise UsageError(f"agent {name!r} cannot be used: {described.error}", subject=name)
        if described.target.startswith("__main__:"):
            raise UsageError(
                f"agent {name!r} is defined in the running script, where its own process cannot find it",
                subject=name,
                hint="move the class into a module, and name the module in COOPERBENCH_EXTERNAL_AGENTS",
            )
    for member in team:
        for place in secret_fields(member.config):
            raise UsageError(
                f"the configuration of {member.agent_id} holds what looks like a key or a password at {place}, and would be recorded",
                subject=place,
                hint="put it into an environment variable, and name the variable: --api-key-env, or api_key_env in the file",
            )
        check_config(member.agent, member.model, member.config, agent_id=member.agent_id)
    return team


def _name(request: RunRequest, setting: Setting, team: tuple[Member, ...]) -> str:
    if request.run_name is not None:
        return check_run_name(request.run_name)
    features = "-".join(f"f{feature}" for feature in request.features or ())
    task = None if request.task is None else f"t{request.task}"
    budget = "team-budget" if request.team_budget else None
    parts = (setting.value, team[0].agent, team[0].model, request.subset, request.repo, task, features, budget)
    return default_run_name(*parts)


def _revision(request: RunRequest, groups: list[Group]) -> TaskRevision:
    """Name the data and pin its content, by a digest of every file that agents or the evaluation of these groups read."""
    digest = hashlib.sha256()
    for task in {group.task.key: group.task for group in groups}.values():
        wanted = {number for group in groups if group.task.key == task.key for number in group.features}
        files = [path for path in task.path.iterdir() if path.is_file()]
        files += [path for number in wanted for path in task.features[number].path.iterdir() if path.is_file()]
        for path in sorted(files):
            digest.update(f"{task.key}/{path.relative_to(task.path)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    first = groups[0].task
    dataset = DEMO if first.recipe.bundled else first.path.parent.parent.name
    return TaskRevision(dataset=dataset, revision=f"sha256:{digest.hexdigest()[:32]}", subset=request.subset)
