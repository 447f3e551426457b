"""Open a run directory, a new one or one to be resumed."""

import os
from typing import Any, NamedTuple

from cooperbench.errors import RecordError, RunMismatchError, UsageError
from cooperbench.records import MAY_DIFFER, GroupKey, RunConfig, RunDirectory, read_model, write_model
from cooperbench.records.episode_state import read_state
from cooperbench.records.runs import read_config

_HINT = "choose another name with --name, or start the run afresh with --force"


class OpenedRun(NamedTuple):
    """A run directory before work on it begins."""

    config: RunConfig
    resumed: bool
    notes: tuple[str, ...] = ()


def check_run(directory: RunDirectory, config: RunConfig, *, force: bool) -> OpenedRun:
    """Compare a configuration with the one on disk, writing nothing.

    Raises `RunMismatchError` when they differ, unless `force`. An unreadable file counts as absent, with a note; then the
    finished episodes must have been made with this configuration.
    """
    try:
        before = read_config(directory)
    except FileNotFoundError:
        notes: tuple[str, ...] = ()
    except RecordError as error:
        notes = (f"{error.message}; it is written again",)
    else:
        return _compared(directory, before, config, force=force)
    strangers = [] if force else _strangers(directory, config)
    if strangers:
        raise RunMismatchError(
            f"run {config.run!r} has no readable config.json, and {strangers[0]} was made with another configuration",
            subject=str(directory.path),
            hint=_HINT,
        )
    return OpenedRun(config, resumed=False, notes=notes)


def _compared(directory: RunDirectory, before: RunConfig, config: RunConfig, *, force: bool) -> OpenedRun:
    if set(before.groups) < set(config.groups) and not differences(
        before, config.model_copy(update={"groups": before.groups})
    ):
        return _grown(before, config)
    changes = differences(before, config)
    if changes and not force:
        shown = "; ".join(changes[:4]) + (f"; and {len(changes) - 4} more" if len(changes) > 4 else "")
        raise RunMismatchError(
            f"run {config.run!r} exists with another configuration: {shown}",
            subject=str(directory.path),
            hint=_HINT,
        )
    if changes:
        return OpenedRun(
            config, resumed=True, notes=(f"run again with another configuration: {'; '.join(changes[:4])}",)
        )
    return OpenedRun(_continued(before, config), resumed=True)


def _continued(before: RunConfig, config: RunConfig) -> RunConfig:
    digests = {**before.image_digests, **config.image_digests}
    update = {"image_digests": digests, "max_cost": config.max_cost, "network": config.network}
    return before.model_copy(update=update)


def _grown(before: RunConfig, config: RunConfig) -> OpenedRun:
    """Add episodes to a run: a higher `--limit`, or more repeats."""
    added = len(config.groups) - len(before.groups)
    note = f"episodes added to the {len(before.groups)} of the run: {added}"
    return OpenedRun(
        _continued(before, config).model_copy(update={"groups": config.groups}), resumed=True, notes=(note,)
    )


def _strangers(directory: RunDirectory, config: RunConfig) -> list[GroupKey]:
    """Find finished episodes that were made with another configuration, as far as their results say."""
    found = []
    for group in config.groups:
        result = read_state(directory.episode(config.setting, group), group).result
        if result is not None and result.configuration not in (None, config.digest):
            found.append(group)
    return found


def check_writable(directory: RunDirectory) -> None:
    """Raise `UsageError` when the run directory cannot be written."""
    place = directory.path
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(
            f"cannot write to {place}" if place.is_dir() else f"{place} is not a folder",
            subject=str(place),
            hint="choose another place with --log-dir",
        )


def write_config(directory: RunDirectory, config: RunConfig) -> None:
    """Write `config.json`, unless it is there already."""
    try:
        if read_model(directory.config, RunConfig) == config:
            return
    except (FileNotFoundError, RecordError):
        pass
    write_model(directory.config, config)


def differences(before: RunConfig, after: RunConfig) -> list[str]:
    """List the differences between two configurations of a run, one readable line each."""
    # Earlier versions recorded the paths of their machine.
    old, new = before.recorded().model_dump(mode="json"), after.recorded().model_dump(mode="json")
    lines: list[str] = []
    for name in old:
        if name in MAY_DIFFER or old[name] == new[name]:
            continue
        if name == "groups":
            lines.append(_changed_groups(before, after))
        else:
            lines.extend(_compare(name, old[name], new[name]))
    return lines


def _changed_groups(before: RunConfig, after: RunConfig) -> str:
    gone, added = set(before.groups) - set(after.groups), set(after.groups) - set(before.groups)
    return f"episodes: {len(before.groups)} before, {len(after.groups)} now ({len(added)} added, {len(gone)} left out)"


def _compare(place: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys([*old, *new])
        return [line for key in keys for line in _compare(f"{place}.{key}", old.get(key), new.get(key))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [line for n, pair in enumerate(zip(old, new, strict=True)) for line in _compare(f"{place}[{n}]", *pair)]
    if old == new:
        return []
    return [f"{place} was {_short(old)} and is {_short(new)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
