"""Print the patches of one episode, without a character that commands the terminal and without secrets."""

from collections.abc import Iterator, Sequence

from cooperbench.cli.output import counted
from cooperbench.records import MemberResult
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.secrets import without_secrets
from cooperbench.records.visible import one_line, visible


def diff_lines(episode: EpisodeView, members: Sequence[MemberResult]) -> Iterator[str]:
    """Yield what each of the members submitted: a line that says whose it is, then the whole patch."""
    for member in members:
        submission = member.submission
        if submission is None or not submission.bytes:
            yield one_line(f"# {member.agent_id} submitted nothing")
            continue
        size = f"{counted(submission.lines, 'line')}, {counted(submission.bytes, 'byte')}"
        yield one_line(f"# {member.agent_id}: {size}, byte for byte in {episode.directory / submission.file}")
        yield visible(without_secrets(episode.patch(member.agent_id))).rstrip("\n")
