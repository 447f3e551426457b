"""What is said about a failed group, and the evidence for it."""

from enum import StrEnum

from cooperbench.records import AgentId, FeatureId, Outcome, Record
from cooperbench.records.base import UtcTime


class Cause(StrEnum):
    """Why a group did not pass. The order is the order of precedence: of several causes the first one is the group's."""

    INFRASTRUCTURE = "infrastructure"
    """No verdict: something other than the agents failed."""
    NOTHING_HANDED_IN = "nothing handed in"
    """A member submitted no patch, or one that does not apply."""
    LIMIT = "limit"
    """A member reached a limit, and its own feature does not pass on its work alone."""
    COULD_NOT = "could not do it"
    """A member's own feature does not pass on its work alone, so no merge could have passed."""
    CONFLICT = "textual conflict"
    """Each feature passes alone; git cannot merge the patches."""
    BREAK = "semantic break"
    """Each feature passes alone and the merge is clean; its result fails."""
    UNDETERMINED = "undetermined"
    """The members' work was not tested alone, so capability and integration cannot be told apart."""


class FeatureCause(Record):
    """Why one feature did not pass."""

    feature: FeatureId
    agent_id: AgentId | None
    """The member whose feature it is."""
    outcome: Outcome
    cause: Cause
    alone: Outcome | None
    """The outcome of its tests on its member's work alone; `None` if they did not run."""
    union: Outcome | None
    """The outcome after the union merge; `None` if they did not run."""
    failing: tuple[str, ...]
    """Tests that fail, in the stage that decided."""
    said: str
    """The line that says why."""


class Mention(Record):
    """A message that names a file or symbol."""

    sequence: int
    sender: AgentId
    to: str
    time: UtcTime
    read: bool
    """True if the receiver read it."""
    excerpt: str


class ChangedLines(Record):
    """One member's part of a contested place."""

    agent_id: AgentId
    first: int
    last: int
    """Lines of the base that were changed; an insertion has `last = first - 1`."""
    added: tuple[str, ...]
    written_at: UtcTime | None
    """When the member changed the file first, as far as the events say."""


class ContestedPlace(Record):
    """Lines that several members changed, or a file that both created or one of them deleted."""

    path: str
    kind: str
    """As git names it: content, add/add, modify/delete, …"""
    conflict: bool
    """True if the merge that decided could not settle it."""
    sides: tuple[ChangedLines, ...]
    mentions: tuple[Mention, ...]
    """Messages that name the file, in the order of the broker."""


class ContestedSymbol(Record):
    """A name whose definition one member changed and whose use another one added: found by name, so a guess."""

    name: str
    path: str
    changed_by: AgentId
    used_by: AgentId
    used_in: str
    mentions: tuple[Mention, ...]


class Explanation(Record):
    """Why one episode failed, or that it passed."""

    run: str
    episode: str
    policy: str
    outcome: str
    """The verdict's, or the state of an episode without one."""
    cause: Cause | None
    """`None` for a pass, and for an episode that was not run or not judged yet."""
    also: tuple[Cause, ...]
    """Other causes that were found."""
    sentence: str
    features: tuple[FeatureCause, ...] = ()
    places: tuple[ContestedPlace, ...] = ()
    symbols: tuple[ContestedSymbol, ...] = ()
    unclear: tuple[str, ...] = ()
    """What the record lacks for more."""
