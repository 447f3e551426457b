"""Progress of a run: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cooperbench.records import EpisodeResult, Evaluation, Failure, GroupKey, RunConfig, RunDirectory, utc_now
from cooperbench.runner.directory.live import LiveEpisode, read_live
from cooperbench.runner.engine.progress import Counts, Observer, Silent
from cooperbench.runner.planning.plan import Plan

_ROWS = 12


@contextmanager
def open_display(directory: RunDirectory, *, quiet: bool = False) -> Iterator[Observer]:
    """The display that fits where standard error goes; standard output stays free for facts."""
    if quiet:
        yield Silent()
        return
    console = Console(stderr=True, highlight=False)
    lines = Lines(console)
    if not console.is_terminal:
        yield lines
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield LiveTable(live, directory, lines)


class Lines:
    """One plain line for each thing that happens."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, plan: Plan, counts: Counts) -> None:
        """Say what is going to be done."""
        again = f", {counts.reused} of them finished before" if counts.reused else ""
        self.note(f"run {plan.config.run}: {counts.planned} episodes{again}")

    def note(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def episode_ended(self, result: EpisodeResult) -> None:
        """Print how an episode ended."""
        members = ", ".join(
            f"{name} {member.ending} ({member.steps} steps, {member.patch_lines} lines)"
            for name, member in result.agents.items()
        )
        reason = f": {result.error.message}" if result.error else ""
        self.note(f"{_name(result)}  {result.status} in {result.duration_seconds:.1f} s  {members}{reason}")

    def evaluated(self, group: GroupKey, verdict: Evaluation | Failure) -> None:
        """Print a verdict."""
        if isinstance(verdict, Failure):
            self.note(f"{group}  not evaluated: {verdict.message}")
            return
        features = ", ".join(f"f{feature.feature} {feature.outcome}" for feature in verdict.verdict.features)
        self.note(f"{group}  {verdict.verdict.outcome}  ({features})")

    def tick(self, counts: Counts) -> None:
        """Print nothing."""

    def end(self, counts: Counts) -> None:
        """Print nothing."""


class LiveTable:
    """A table that is redrawn: the whole run in one line, and what each agent does now."""

    def __init__(self, live: Live, directory: RunDirectory, lines: Lines) -> None:
        self._live = live
        self._directory = directory
        self._lines = lines
        self._config: RunConfig | None = None

    def begin(self, plan: Plan, counts: Counts) -> None:
        """Draw the first time."""
        self._config = plan.config
        self._lines.begin(plan, counts)
        self.tick(counts)

    def note(self, text: str) -> None:
        """Print above the table."""
        self._lines.note(text)

    def episode_ended(self, result: EpisodeResult) -> None:
        """Print above the table."""
        self._lines.episode_ended(result)

    def evaluated(self, group: GroupKey, verdict: Evaluation | Failure) -> None:
        """Print above the table."""
        self._lines.evaluated(group, verdict)

    def tick(self, counts: Counts) -> None:
        """Draw again."""
        if self._config is not None:
            live = read_live(self._directory, self._config)
            self._live.update(Group(headline(counts), activity(live)), refresh=True)

    def end(self, counts: Counts) -> None:
        """Take the table away."""
        self._live.update(headline(counts), refresh=True)


def headline(counts: Counts) -> Text:
    """The whole run in one line."""
    parts = [
        f"{counts.completed}/{counts.planned} done",
        f"{counts.running} running in {counts.seats} seats",
        f"{counts.passed}/{counts.evaluated} passed",
    ]
    if counts.infra_errors:
        parts.append(f"{counts.infra_errors} infra errors")
    parts.append("cost unknown" if counts.cost is None else f"${counts.cost:.2f}")
    parts.append(_duration(counts.seconds))
    if counts.seconds_left is not None:
        money = "" if not counts.cost_left else f", ${counts.cost_left:.2f}"
        parts.append(f"about {_duration(counts.seconds_left)}{money} left")
    return Text("  ·  ".join(parts), style="bold")


def activity(live: list[LiveEpisode]) -> RenderableType:
    """What each agent does now."""
    table = Table(box=None, pad_edge=False, expand=True)
    for column in ("episode", "agent", "time", "steps", "cost"):
        table.add_column(column, no_wrap=True)
    table.add_column("now", no_wrap=True, overflow="ellipsis", ratio=1)
    now = utc_now()
    for episode in live[:_ROWS]:
        name = str(episode.group)
        for agent, progress in episode.progress.items():
            elapsed = _duration((now - episode.start.started_at).total_seconds())
            if progress is None:
                table.add_row(name, agent, elapsed, "", "", "starting")
            else:
                cost = "?" if progress.usage.cost is None else f"${progress.usage.cost:.2f}"
                table.add_row(name, agent, elapsed, str(progress.steps), cost, Text(progress.last_action))
            name = ""
    if len(live) > _ROWS:
        table.add_row(f"and {len(live) - _ROWS} more", "", "", "", "", "")
    return table


def _name(result: EpisodeResult) -> str:
    return str(GroupKey(repo=result.repo, task_id=result.task_id, features=result.features))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
