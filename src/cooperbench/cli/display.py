"""Show the progress of a run: a live table on a terminal, plain lines elsewhere.

The run goes on when its reader leaves (a closed terminal, `| head`): it costs money, and its record is on disk.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cooperbench.cli.failures import reasons
from cooperbench.cli.output import counted
from cooperbench.cli.visible_console import VisibleConsole
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
from cooperbench.records.member_files import Progress
from cooperbench.records.model_wait import ModelWait
from cooperbench.records.visible import one_line

if TYPE_CHECKING:
    from cooperbench.runner.engine.observer import Observer
    from cooperbench.runner.planning.plan import Plan

_ROWS = 12
_WAIT_LINES = 30.0
"""Seconds between two lines about one member's waits: the first retries follow each other within seconds."""


class _SteadyConsole(VisibleConsole):
    """A console whose reader may leave; rich's own ends the process then."""

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True


@contextmanager
def open_display(directory: RunDirectory, *, quiet: bool = False) -> Iterator["Observer"]:
    """Open the display that suits standard error; standard output stays free for facts."""
    if quiet:
        from cooperbench.runner.engine.observer import Silent

        yield Silent()
        return
    console = _SteadyConsole(sys.stderr)
    if not console.is_terminal:
        yield Lines(directory, console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield LiveTable(live, directory, console)


class Lines:
    """A plain line for each event."""

    def __init__(self, directory: RunDirectory, console: Console) -> None:
        self._directory = directory
        self._console = console
        self._config: RunConfig | None = None
        self._waits: dict[tuple[GroupKey, str], datetime] = {}
        """When each member's last wait that was printed began."""

    def begin(self, plan: "Plan", counts: Counts) -> None:
        """Print the plan."""
        self._config = plan.config
        again = f", {counts.reused} already finished" if counts.reused else ""
        self.note(f"run {plan.config.run}: {counted(counts.planned, 'episode')}{again}")

    def note(self, text: str) -> None:
        """Print one line."""
        with suppress(OSError):
            self._console.print(f"{datetime.now():%H:%M:%S} {one_line(text)}", soft_wrap=True)

    def episode_ended(self, result: EpisodeResult) -> None:
        """Print the result of an episode."""
        members = ", ".join(
            f"{name} {member.ending} ({counted(member.steps, 'step')}, {counted(member.patch_lines, 'line')})"
            for name, member in result.agents.items()
        )
        self.note(f"{_name(result)}  {result.status} in {result.duration_seconds:.1f} s  {members}{reasons(result)}")

    def evaluated(self, group: GroupKey, verdict: Evaluation | Failure) -> None:
        """Print a verdict."""
        if isinstance(verdict, Failure):
            self.note(f"{group}  not evaluated: {verdict.message}")
            return
        features = ", ".join(f"f{feature.feature} {feature.outcome}" for feature in verdict.verdict.features)
        self.note(f"{group}  {verdict.verdict.outcome}  ({features})")

    def tick(self, counts: Counts) -> None:
        """Print who has begun to wait for a model's provider, each member at most once in `_WAIT_LINES` seconds."""
        for episode in self._live_episodes():
            for agent, progress in episode.progress.items():
                wait = progress.waiting if progress is not None else None
                before = self._waits.get((episode.group, agent))
                if wait is None or (before is not None and (wait.time - before).total_seconds() < _WAIT_LINES):
                    continue
                self._waits[episode.group, agent] = wait.time
                self.note(f"{episode.group}  {agent} {waiting_text(wait)}")

    def _live_episodes(self) -> list[LiveEpisode]:
        return [] if self._config is None else read_live(self._directory, self._config)

    def end(self, counts: Counts) -> None:
        """Print nothing."""


class LiveTable(Lines):
    """A table below the lines that is redrawn: the whole run in one line, then the present action of each agent."""

    def __init__(self, live: Live, directory: RunDirectory, console: Console) -> None:
        super().__init__(directory, console)
        self._live = live
        from cooperbench.cli.person import PersonDesk  # knows agents, which looking at a run need not

        self._desk = PersonDesk(directory.path.name, live.stop, self._come_back)
        self._held: list[str] = []
        """Lines that wait until the terminal is free."""

    def begin(self, plan: "Plan", counts: Counts) -> None:
        """Print the plan, and draw the table for the first time."""
        super().begin(plan, counts)
        self.tick(counts)

    def tick(self, counts: Counts) -> None:
        """Redraw the table."""
        live = self._live_episodes()
        self._desk.look(live, time.monotonic())
        if self._desk.taken:
            return
        with suppress(OSError):
            self._live.update(Group(headline(counts, live), activity(live)), refresh=True)

    def note(self, text: str) -> None:
        """Print one line, or keep it while a person works at this terminal."""
        if self._desk.taken:
            self._held.append(text)
        else:
            super().note(text)

    def _come_back(self) -> None:
        """Take the terminal back from a person."""
        with suppress(OSError):
            self._live.start()
        held, self._held = self._held, []
        for text in held:
            super().note(text)

    def end(self, counts: Counts) -> None:
        """Remove the table and restore the cursor."""
        self._desk.close()
        with suppress(OSError):
            self._live.update(headline(counts, []), refresh=True)
            self._live.stop()


def headline(counts: Counts, live: list[LiveEpisode]) -> Text:
    """Return the whole run as one line."""
    capacity = "" if counts.capacity is None else f" of {counts.capacity}"
    parts = [f"{counts.completed}/{counts.planned} done", f"{counts.running}{capacity} running"]
    if counts.evaluated:
        parts.append(f"{counts.passed}/{counts.evaluated} passed")
    if counts.infra_errors:
        parts.append(counted(counts.infra_errors, "infra error"))
    parts.append("cost unknown" if counts.cost is None or _unpriced(live) else f"${counts.cost:.2f}")
    parts.append(_duration(counts.seconds))
    if counts.seconds_left is not None:
        money = "" if not counts.cost_left else f", ${counts.cost_left:.2f}"
        parts.append(f"about {_duration(counts.seconds_left)}{money} left")
    return Text("  ·  ".join(parts), style="bold")


def _unpriced(live: list[LiveEpisode]) -> bool:
    """Return whether a call of the running episodes had no known price."""
    working = [progress for episode in live for progress in episode.progress.values() if progress is not None]
    return any(progress.usage.cost is None for progress in working)


def activity(live: list[LiveEpisode]) -> RenderableType:
    """Build a table of the present action of each agent."""
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
                steps, sent = str(progress.steps), str(progress.messages)
                table.add_row(name, agent, elapsed, steps, sent, cost, one_line(_present_action(progress)))
            name = ""
    if len(live) > _ROWS:
        table.add_row(f"and {len(live) - _ROWS} more", "", "", "", "", "", "")
    return table


def _present_action(progress: Progress) -> str:
    if progress.limit is not None:
        return f"stopping: {progress.limit.kind} limit reached"
    return progress.last_action if progress.waiting is None else waiting_text(progress.waiting)


def waiting_text(wait: ModelWait) -> str:
    """Return until when a member waits for its model, and why."""
    until = f"{wait.until.astimezone():%H:%M:%S}"
    return f"waits for its model until {until} (attempt {wait.attempt} of {wait.attempts}): {wait.reason}"


def _name(result: EpisodeResult) -> str:
    return str(GroupKey(repo=result.repo, task_id=result.task_id, features=result.features, repeat=result.repeat))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
