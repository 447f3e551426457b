"""Progress of a run: a live table on a terminal, plain lines elsewhere.

When nobody reads it any more (a closed terminal, `| head`) the run goes on: it costs money, and its record is on disk.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cooperbench.cli.show import counted
from cooperbench.records import (
    EpisodeResult,
    Evaluation,
    Failure,
    GroupKey,
    RunConfig,
    RunDirectory,
    utc_now,
)
from cooperbench.records.live import Counts, LiveEpisode, read_live

if TYPE_CHECKING:
    from cooperbench.runner.engine.progress import Observer
    from cooperbench.runner.planning.plan import Plan

_ROWS = 12


class _SteadyConsole(Console):
    """A console whose reader may leave; the usual one ends the process then."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True


@contextmanager
def open_display(directory: RunDirectory, *, quiet: bool = False) -> Iterator["Observer"]:
    """The display that fits where standard error goes; standard output stays free for facts."""
    if quiet:
        from cooperbench.runner.engine.progress import Silent

        yield Silent()
        return
    console = _SteadyConsole(stderr=True, highlight=False)
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

    def begin(self, plan: "Plan", counts: Counts) -> None:
        """Say what is going to be done."""
        again = f", {counts.reused} of them finished before" if counts.reused else ""
        self.note(f"run {plan.config.run}: {counted(counts.planned, 'episode')}{again}")

    def note(self, text: str) -> None:
        """Print one line."""
        with suppress(OSError):
            self._console.print(f"{datetime.now():%H:%M:%S} {text}", markup=False, soft_wrap=True)

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

    def begin(self, plan: "Plan", counts: Counts) -> None:
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
            with suppress(OSError):
                self._live.update(Group(headline(counts, live), activity(live)), refresh=True)

    def end(self, counts: Counts) -> None:
        """Take the table away, and give the cursor back."""
        with suppress(OSError):
            self._live.update(headline(counts, []), refresh=True)
            self._live.stop()


def headline(counts: Counts, live: list[LiveEpisode]) -> Text:
    """The whole run in one line."""
    seats = "" if counts.seats is None else f" of {counts.seats}"
    parts = [f"{counts.completed}/{counts.planned} done", f"{counts.running}{seats} running"]
    if counts.evaluated:
        parts.append(f"{counts.passed}/{counts.evaluated} passed")
    if counts.infra_errors:
        parts.append(f"{counts.infra_errors} infra errors")
    parts.append("cost unknown" if counts.cost is None or _unpriced(live) else f"${counts.cost:.2f}")
    parts.append(_duration(counts.seconds))
    if counts.seconds_left is not None:
        money = "" if not counts.cost_left else f", ${counts.cost_left:.2f}"
        parts.append(f"about {_duration(counts.seconds_left)}{money} left")
    return Text("  ·  ".join(parts), style="bold")


def _unpriced(live: list[LiveEpisode]) -> bool:
    """Whether a call of the episodes at work had no price."""
    working = [progress for episode in live for progress in episode.progress.values() if progress is not None]
    return any(progress.usage.cost is None for progress in working)


def activity(live: list[LiveEpisode]) -> RenderableType:
    """What each agent does now."""
    table = Table(box=None, pad_edge=False, expand=True)
    for column in ("episode", "agent", "time", "steps", "sent", "cost"):
        table.add_column(column, no_wrap=True)
    table.add_column("now", no_wrap=True, overflow="ellipsis", ratio=1)
    now = utc_now()
    for episode in live[:_ROWS]:
        name = str(episode.group)
        for agent, progress in episode.progress.items():
            elapsed = _duration((now - episode.start.started_at).total_seconds())
            if progress is None:
                table.add_row(name, agent, elapsed, "", "", "", "starting")
            else:
                cost = "?" if progress.usage.cost is None else f"${progress.usage.cost:.2f}"
                doing = progress.last_action if progress.limit is None else f"ends: {progress.limit.kind} limit reached"
                table.add_row(name, agent, elapsed, str(progress.steps), str(progress.messages), cost, Text(doing))
            name = ""
    if len(live) > _ROWS:
        table.add_row(f"and {len(live) - _ROWS} more", "", "", "", "", "", "")
    return table


def _name(result: EpisodeResult) -> str:
    return str(GroupKey(repo=result.repo, task_id=result.task_id, features=result.features))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
