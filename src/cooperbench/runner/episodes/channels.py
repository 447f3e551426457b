"""The mailbox and the shared repository of one episode, as far as its run has them."""

from cooperbench.collaboration.board import read_board
from cooperbench.collaboration.conversation import read_conversation, read_events
from cooperbench.collaboration.presence import mark_finished, mark_working
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.records import ConversationMessage, Ending, Member, Role
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.episodes.timeline import PendingEvent, of_board, of_broker, of_git


class EpisodeChannels:
    """Open what members share, tell them about each other, and read what they exchanged.

    Every method but `access` raises `MailboxError` or `RemoteError` when the server behind it fails.
    """

    def __init__(self, job: Job, services: Services) -> None:
        self._config = job.config
        self._members = job.episode.members
        together = not self._config.setting.alone
        self._broker = services.broker if together else None
        self._git = services.git if together and self._config.git else None
        group = job.episode.group
        features = "-".join(str(feature) for feature in group.features)
        repeat = "" if group.repeat == 1 else f"r{group.repeat}"
        self._key = (
            f"{self._config.run}/{self._config.setting}/{group.repo}/{group.task_id}/{features}{repeat}.{job.attempt}"
        )
        self._mailbox: str | None = None
        self._addresses: dict[str, str] = {}
        self._remotes: dict[str, str] = {}
        self._events: list[PendingEvent] = []

    def open(self) -> None:
        """Open the mailbox and the repository."""
        agents = [member.agent_id for member in self._members]
        if self._broker is not None:
            self._addresses = self._broker.open_episode(self._key, agents)
            self._mailbox = self._broker.episode_url(self._key)
            for agent in agents:
                mark_working(self._mailbox, agent)
        if self._git is not None:
            self._remotes = self._git.create_repository(self._key, agents)

    def access(self, member: Member) -> TeamAccess:
        """Put together what a member may use."""
        address = self._addresses.get(member.agent_id)
        return TeamAccess(
            agent_id=member.agent_id,
            agents=tuple(other.agent_id for other in self._members),
            comm_url=address if self._config.messaging else None,
            git_server_url=self._remotes.get(member.agent_id),
            board_url=address if self._config.task_board else None,
            role=member.role,
            lead=next((other.agent_id for other in self._members if other.role is Role.LEAD), None),
        )

    def announce(self, agent: str, ending: Ending) -> None:
        """Tell teammates that a member has finished, and where its work is."""
        if self._mailbox is not None and self._broker is not None:
            self._broker.check_episode(self._key)
            branch = self._git.published(self._key, agent) if self._git is not None else None
            mark_finished(self._mailbox, agent, ending, branch)

    def close(self) -> list[ConversationMessage]:
        """Read the conversation and close the mailbox."""
        if self._mailbox is None or self._broker is None:
            return []
        self._broker.check_episode(self._key)
        features = {member.agent_id: member.features[0] for member in self._members}
        messages = read_conversation(self._mailbox, features)
        self._events = [*of_broker(read_events(self._mailbox, list(features)))]
        if self._config.task_board:
            self._events += of_board(read_board(self._mailbox))
        self._broker.close_episode(self._key)
        return messages

    def events(self) -> list[PendingEvent]:
        """Return the events that the servers recorded: the mailbox's once it is closed, and the repository's."""
        return [*self._events, *(of_git(self._git.events(self._key)) if self._git is not None else ())]
