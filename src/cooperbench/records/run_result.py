"""A run, or several, as read from disk: episodes to iterate over, and rows for tables."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cooperbench.errors import MissingExtraError, UnknownNameError
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.layout import RunDirectory
from cooperbench.records.run import RunConfig, RunSummary
from cooperbench.records.summary import summarize

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class RunResult:
    """A whole run, earlier sessions included, seen under one policy. Iterating yields its episodes."""

    directory: Path
    config: RunConfig
    summary: RunSummary
    episodes: tuple[EpisodeView, ...]
    interrupted: bool = False
    stopped: str = ""
    """Why the run stopped early; empty when it did not."""

    @property
    def complete(self) -> bool:
        """True when every episode has a result that can be judged."""
        return self.summary.completed == self.summary.planned

    @property
    def policy(self) -> str:
        """The policy that all verdicts here go by."""
        return self.summary.policy or self.config.policy

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that have judged episodes, the run's own first."""
        found = dict.fromkeys(policy for episode in self.episodes for policy in episode.verdicts)
        return tuple(dict.fromkeys([self.config.policy, *found]))

    def under(self, policy: str) -> "RunResult":
        """Return the same run seen under another policy. Raises `UnknownNameError` for one that has judged no episode."""
        return self.seen_under(self._resolved(policy))

    def _resolved(self, policy: str) -> str:
        matching = [known for known in self.policies if policy in (known, known.split("@")[0])]
        if not matching:
            hint = f"cooperbench eval -n {self.config.run} --policy NAME, for a policy that has judged no episode of it yet"
            raise UnknownNameError("policy", policy, self.policies, hint=hint)
        return max(matching, key=lambda known: int(known.rpartition("@")[2]))

    def seen_under(self, policy: str) -> "RunResult":
        """Return the same run seen under a policy given by its full name, though it may have judged nothing yet."""
        episodes = tuple(replace(each, verdict=each.verdicts.get(policy)) for each in self.episodes)
        summary = summarize(
            RunDirectory(self.directory),
            self.config,
            episodes,
            requested_concurrency=self.summary.requested_concurrency,
            achieved_concurrency=self.summary.achieved_concurrency,
            policy=policy,
        )
        return replace(self, summary=summary, episodes=episodes)

    def episode(self, name: str) -> EpisodeView:
        """Find an episode by its name, such as `shelfdb_task/1/f1_f2`. Raises `UnknownNameError`."""
        for episode in self.episodes:
            if str(episode.group) == name:
                return episode
        raise UnknownNameError("episode", name, [str(episode.group) for episode in self.episodes])

    def rows(self, *policies: str) -> Rows:
        """Return a flat dictionary for each episode and policy, by default the one that the run is seen under.

        The keys are the fields of `records.rows.EpisodeRow`.
        """
        from cooperbench.records.make_rows import episode_rows

        chosen = [self._resolved(policy) for policy in policies] or [self.policy]
        return [row.model_dump() for row in episode_rows(self.config, self.episodes, chosen)]

    def member_rows(self) -> Rows:
        """Return a flat dictionary for each member of each episode with a result: the fields of `records.rows.MemberRow`."""
        from cooperbench.records.make_rows import member_rows

        return [row.model_dump() for row in member_rows(self.config, self.episodes)]

    def to_pandas(self, *policies: str) -> "pd.DataFrame":
        """Return `rows` as a data frame. Raises `MissingExtraError` without pandas."""
        return _data_frame(self.rows(*policies))

    def __iter__(self) -> Iterator[EpisodeView]:
        return iter(self.episodes)

    def __len__(self) -> int:
        return len(self.episodes)

    def __repr__(self) -> str:
        summary = self.summary
        return (
            f"<run {self.config.run}: {summary.completed}/{summary.planned} completed, "
            f"{summary.passed}/{summary.evaluated} passed under {self.policy}>"
        )

    def _repr_html_(self) -> str:
        rows = [
            (str(each.group), each.state.value, each.verdict.outcome.value if each.verdict else "")
            for each in self.episodes
        ]
        return f"<p>{html.escape(repr(self)[1:-1])}</p>" + _table(("episode", "state", self.policy), rows)


class Runs(Sequence[RunResult]):
    """Several runs, each seen under its own policy unless they were read under another."""

    def __init__(self, runs: Sequence[RunResult]) -> None:
        self._runs = tuple(runs)

    def rows(self, *policies: str) -> Rows:
        """Return the rows of all runs; see `RunResult.rows`."""
        return [row for run in self._runs for row in run.rows(*policies)]

    def member_rows(self) -> Rows:
        """Return the members' rows of all runs."""
        return [row for run in self._runs for row in run.member_rows()]

    def to_pandas(self, *policies: str) -> "pd.DataFrame":
        """Return `rows` as a data frame. Raises `MissingExtraError` without pandas."""
        return _data_frame(self.rows(*policies))

    def __getitem__(self, position: Any) -> Any:
        return self._runs[position]

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._runs)) or "<no runs>"

    def _repr_html_(self) -> str:
        rows = [
            (each.config.run, each.config.setting.value, each.policy, f"{each.summary.passed}/{each.summary.evaluated}")
            for each in self._runs
        ]
        return _table(("run", "setting", "policy", "passed"), rows)


def _data_frame(rows: Rows) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("a data frame", "analysis") from error
    return pd.DataFrame(rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table><thead>{line(head, 'th')}</thead><tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"
