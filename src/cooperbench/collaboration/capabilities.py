"""What the members of a team can do together, each ability described once.

A capability owns everything by which it shows: the section of the prompt, the requests that the `coop` command can make of the
harness, and the kinds of events that say what it was used for. A seat either has it, and then all of that is there, or it has
not, and then none of it is.
"""

from dataclasses import dataclass

from cooperbench.collaboration.seat import Seat


@dataclass(frozen=True)
class TeamCapability:
    """One way of working together."""

    name: str
    template: str
    """The file in `templates/` with its section of the prompt."""
    verbs: tuple[str, ...]
    """The requests from the sandbox that are answered only with it."""
    events: tuple[str, ...]
    """The kinds of events in `events.jsonl` that record its use."""


MESSAGING = TeamCapability(
    "messaging",
    "messaging.j2",
    verbs=("send", "broadcast", "recv", "ask", "team"),
    events=("message.sent", "message.delivered", "message.refused", "message.lost", "message.read"),
)
GIT = TeamCapability(
    "git",
    "git.j2",
    verbs=("git-list", "git-fetch", "git-push", "git-conflicts", "git-agent"),
    events=("git.push", "git.fetch"),
)
TASK_BOARD = TeamCapability(
    "task_board", "task_board.j2", verbs=("task",), events=("task.add", "task.claim", "task.done")
)


def capabilities_of(seat: Seat) -> tuple[TeamCapability, ...]:
    """What this seat has, in the order in which it is explained to the agent."""
    has = {
        MESSAGING: seat.comm_url is not None,
        GIT: seat.git_server_url is not None,
        TASK_BOARD: seat.board_url is not None,
    }
    return tuple(capability for capability, present in has.items() if present)
