"""What members and the harness said, and what went to the shared remote and came from it."""

from collections.abc import Mapping, Sequence

from cooperbench.records import ConversationMessage, Event
from cooperbench.records.event_details import BoardChanged, GitMoved, MessageMoved, NoticeSent, RefChange
from cooperbench.viewer.clock import EpisodeClock
from cooperbench.viewer.models import BoardEntry, GitMove, LaneStep, ShownMessage, ShownRef
from cooperbench.viewer.texts import cut

_GAP = 1e-3
_SHORT = 7
"""Characters of a commit's name."""
Steps = Mapping[str, Sequence[LaneStep]]
"""The steps of each member, by agent id."""


def shown_messages(
    clock: EpisodeClock, conversation: Sequence[ConversationMessage], events: Sequence[Event], steps: Steps
) -> tuple[ShownMessage, ...]:
    """Return messages in the order of the broker, and the harness's notices among them by time."""
    said = [
        ShownMessage(
            id=f"message.{number}",
            number=number,
            sender=each.sender,
            to=cut(each.to)[:100],
            text=cut(each.message),
            sent=clock.at(each.timestamp),
            read=None if each.read_at is None else clock.at(each.read_at),
            refused=each.refused,
            reply_to=None,
            step=step_at(steps, each.sender, clock.at(each.timestamp)),
            sequence=each.sequence,
        )
        for number, each in enumerate(conversation, 1)
    ]
    said = [each.model_copy(update={"crossed": _crossed(each, said)}) for each in said]
    numbers = {each.id: f"message.{number}" for number, each in enumerate(conversation, 1)}
    replies = {f"message.{n}": numbers.get(each.reply_to or "") for n, each in enumerate(conversation, 1)}
    said = [each.model_copy(update={"reply_to": replies[each.id]}) for each in said]
    return tuple(sorted([*said, *_notices(clock, events)], key=lambda each: each.sent))


def _crossed(one: ShownMessage, said: Sequence[ShownMessage]) -> tuple[int, ...]:
    """Find the messages that crossed this one on the way: the later of two was sent before its sender had read the earlier."""
    near = said[max(0, one.number - 20) : one.number + 20]
    return tuple(
        other.number
        for other in near
        if (other.sender, other.to) == (one.to, one.sender) and not one.refused and not other.refused
        if _overtaken(*sorted((one, other), key=lambda each: each.sent))
    )


def _overtaken(earlier: ShownMessage, later: ShownMessage) -> bool:
    return earlier.read is not None and later.sent < earlier.read


def _notices(clock: EpisodeClock, events: Sequence[Event]) -> list[ShownMessage]:
    read = {
        details.id: clock.at(event.time)
        for event in events
        if event.kind == "notice.read" and isinstance(details := event.details, MessageMoved)
    }
    sent = [(event, details) for event in events if isinstance(details := event.details, NoticeSent)]
    return [
        ShownMessage(
            id=f"notice.{number}",
            number=number,
            sender="harness",
            to=details.to,
            text=cut(details.text),
            sent=clock.at(event.time),
            read=read.get(details.id),
        )
        for number, (event, details) in enumerate(sent, 1)
    ]


def shown_git(clock: EpisodeClock, events: Sequence[Event], steps: Steps) -> tuple[GitMove, ...]:
    """Return pushes and fetches in order, without the fetches of the harness before a member's first step."""
    moves = []
    for event in events:
        details = event.details
        if isinstance(details, GitMoved) and event.agent_id is not None and details.refs:
            time = clock.at(event.time)
            moves.append(
                GitMove(
                    id=f"git.{event.sequence}",
                    agent_id=event.agent_id,
                    push=event.kind == "git.push",
                    time=time,
                    refs=tuple(_ref(ref) for ref in details.refs),
                    step=step_at(steps, event.agent_id, time),
                )
            )
    return tuple(moves)


def _ref(ref: RefChange) -> ShownRef:
    return ShownRef(
        branch=cut(ref.ref.removeprefix("refs/heads/")),
        commit=(ref.new or "deleted")[:_SHORT],
        subject=cut(ref.subject or ""),
        refused=ref.refused,
        changed=ref.changed,
        conflicts=tuple(f"{each.branch}: {', '.join(each.paths)}" for each in ref.conflicts or ()),
    )


def shown_board(clock: EpisodeClock, events: Sequence[Event]) -> tuple[BoardEntry, ...]:
    """Return the changes of the team's task board."""
    entries = []
    for event in events:
        details = event.details
        if isinstance(details, BoardChanged):
            verb = {"task.add": "adds", "task.claim": "claims"}.get(event.kind, "finishes")
            text = f"{verb} task {details.number}{f': {details.text}' if details.text else ''}"
            text = f"{text} (refused: {details.refused})" if details.refused else text
            entries.append(
                BoardEntry(
                    id=f"board.{event.sequence}",
                    agent_id=event.agent_id or "",
                    time=clock.at(event.time),
                    text=cut(text),
                )
            )
    return tuple(entries)


def step_at(steps: Steps, agent_id: str, time: float) -> str | None:
    """Return the address of the step in which a member was at a moment, such as `agent1.7`."""
    own = steps.get(agent_id, ())
    low, high = 0, len(own)
    while low < high:  # the last step that had begun
        middle = (low + high) // 2
        low, high = (middle + 1, high) if own[middle].model.begin <= time + _GAP else (low, middle)
    return f"{agent_id}.{own[low - 1].number}" if low and time <= own[low - 1].act.end + _GAP else None
