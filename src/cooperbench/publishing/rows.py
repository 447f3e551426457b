"""Flat rows of a bundle for a data set: one for each episode, and one for each member of each episode."""

from collections.abc import Iterable, Sequence

from cooperbench.records import Record
from cooperbench.records.make_rows import episode_rows, member_rows
from cooperbench.records.run_result import RunResult

EPISODES, MEMBERS = "rows.jsonl", "members.jsonl"


def episodes_jsonl(runs: Sequence[RunResult]) -> bytes:
    """Return a line for each episode: the fields of `EpisodeRow`, under the policy that the run is seen under."""
    return _lines(row for run in runs for row in episode_rows(run.config, run.episodes, [run.policy]))


def members_jsonl(runs: Sequence[RunResult]) -> bytes:
    """Return a line for each member: the fields of `MemberRow`."""
    return _lines(row for run in runs for row in member_rows(run.config, run.episodes))


def _lines(rows: Iterable[Record]) -> bytes:
    return "".join(f"{row.model_dump_json()}\n" for row in rows).encode()
