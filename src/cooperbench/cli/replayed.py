"""Print how replays differed from what was recorded."""

from collections.abc import Iterator, Sequence

from cooperbench.cli.output import counted
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.replay import ReplayReport, read_replay


def replays_of(episode: EpisodeView) -> list[ReplayReport]:
    """Read the reports of an episode's members."""
    if episode.result is None:
        return []
    members = episode.result.agents.values()
    found = [read_replay(episode.files, episode.result.setting, member.features) for member in members]
    return [report for report in found if report is not None]


def replay_lines(episode: EpisodeView) -> Iterator[str]:
    """Yield what each replaying member did again, and its first difference."""
    for report in replays_of(episode):
        yield f"{report.agent_id} replays run {report.run}: {_counts([report])}"
        if report.first is not None:
            yield f"  first at step {report.first.step}: {report.first.command}"
            yield f"    recorded: {report.first.recorded}"
            yield f"    replayed: {report.first.replayed}"


def replay_summary(episodes: Sequence[EpisodeView]) -> Iterator[str]:
    """Yield the whole run in one line, and where it differed first; nothing when nobody replayed anything."""
    found = [(episode, report) for episode in episodes for report in replays_of(episode)]
    if not found:
        return
    yield f"replayed: {_counts([report for _, report in found])}"
    for episode, report in found:
        if report.first is not None:
            yield (
                f"first difference: {report.agent_id} in {episode.group} at step {report.first.step}; "
                f"cooperbench runs show {episode.directory.parents[3].name} {episode.group}"
            )
            return


def _counts(reports: Sequence[ReplayReport]) -> str:
    played, answers = sum(report.played for report in reports), sum(report.answers for report in reports)
    different, outputs = sum(report.different for report in reports), sum(report.outputs for report in reports)
    return f"{played} of {counted(answers, 'answer')} played, {different} of {counted(outputs, 'output')} different"
