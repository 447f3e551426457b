"""Runs as an analysis takes them: rows under one policy, and the facts that every published number has to carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cooperbench.errors import UsageError
from cooperbench.records import Record
from cooperbench.records.host_paths import recorded_model
from cooperbench.records.make_rows import episode_rows
from cooperbench.records.paths import AnyPath
from cooperbench.records.rows import EpisodeRow
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_run


class Provenance(Record):
    """Where numbers come from. A table that cannot say this is not printed."""

    run: str
    setting: str
    policy: str
    backend: str
    data: str
    data_revision: str
    subset: str | None
    image_digests: tuple[str, ...]
    """Of the images that episodes ran in; empty where the backend knows none."""
    agents: tuple[str, ...]
    models: tuple[str, ...]
    messaging: bool
    git: bool
    repeats: int
    planned: int
    """Episodes, repeats included."""
    judged: int

    @property
    def team(self) -> str:
        """The members as `agent:model`, equal ones counted."""
        members = [f"{agent}:{model}" for agent, model in zip(self.agents, self.models, strict=True)]
        return ", ".join(
            member if (count := members.count(member)) == 1 else f"{count} x {member}"
            for member in dict.fromkeys(members)
        )

    def __str__(self) -> str:
        count = len(self.image_digests)
        images = f"{count} image {'digest' if count == 1 else 'digests'}" if count else "no image digests recorded"
        return (
            f"{self.run}: {self.setting}, policy {self.policy}, {self.team}, backend {self.backend}, data {self.data}"
            f"{f' ({self.subset})' if self.subset else ''} at {_short(self.data_revision)}, {images}, "
            f"{self.repeats} {'attempt' if self.repeats == 1 else 'attempts'} per group, "
            f"{self.judged} of {self.planned} episodes judged"
        )


@dataclass(frozen=True)
class RunSample:
    """One run, seen under one policy."""

    provenance: Provenance
    rows: tuple[EpisodeRow, ...]
    """One for each planned episode, those without a verdict included."""
    paths: Mapping[str, Path]
    """The directory of each episode, by the episode's name."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.provenance.run

    @property
    def model(self) -> str:
        """The models of the team, each named once."""
        return "+".join(dict.fromkeys(self.provenance.models))


def read_samples(
    names: Sequence[str], log_dir: AnyPath | None = None, *, policy: str | None = None
) -> tuple[RunSample, ...]:
    """Read runs by their names, each once. Raises `UsageError` for a run that has nothing to count.

    `policy` is by default each run's own; one that has judged nothing raises `UnknownNameError`.
    """
    if not names:
        raise UsageError("no run is named", hint="cooperbench runs list")
    return tuple(make_sample(read_run(name, log_dir, policy=policy)) for name in dict.fromkeys(names))


def make_sample(run: RunResult) -> RunSample:
    """Turn a run that was read into a sample. Raises `UsageError` as `read_samples`."""
    config, policy = run.config, run.policy
    rows = tuple(episode_rows(config, run.episodes, [policy]))
    if not rows:
        raise UsageError(f"run {config.run} has no episodes", subject=config.run, hint="cooperbench runs list")
    judged = sum(row.judged for row in rows)
    if not judged:
        states = ", ".join(sorted({row.state for row in rows}))
        raise UsageError(
            f"run {config.run} has no verdict under {policy}; its episodes are: {states}",
            subject=config.run,
            hint=f"cooperbench eval -n {config.run} --policy {policy}",
        )
    if config.tasks.revision is None:
        raise UsageError(f"run {config.run} does not say which data it is of", subject=config.run, hint="run it again")
    provenance = Provenance(
        run=config.run,
        setting=config.setting.value,
        policy=policy,
        backend=config.backend,
        data=Path(config.tasks.dataset).name,
        data_revision=config.tasks.revision,
        subset=config.tasks.subset,
        image_digests=tuple(sorted({row.image_digest for row in rows if row.image_digest})),
        agents=tuple(member.agent for member in config.team),
        models=tuple(recorded_model(member.model) for member in config.team),
        messaging=config.messaging,
        git=config.git,
        repeats=max(row.repeat for row in rows) - min(row.repeat for row in rows) + 1,
        planned=len(rows),
        judged=judged,
    )
    paths = {str(episode.group): episode.directory for episode in run.episodes}
    return RunSample(provenance, rows, paths)


def _short(revision: str) -> str:
    return revision.removeprefix("sha256:")[:12]
