"""What the page of an episode shows. All times are seconds from the beginning of the episode.

A page comes in parts: `EpisodePage` has everything that the first picture needs, and the texts of steps follow in `DetailChunk`s,
which a browser reads when it has time or when somebody opens a step.
"""

from typing import Literal, NamedTuple

from cooperbench.records import AgentId, FeatureId, Record
from cooperbench.records.base import UtcTime
from cooperbench.records.labels import Label
from cooperbench.viewer.clock import Span
from cooperbench.viewer.merge_models import ShownStage, ShownSuite

CHUNK = 100
"""Steps in a `DetailChunk`; step `n` of a member, counted from 1, is in the chunk `(n - 1) // CHUNK`."""

Tone = Literal["pass", "fail", "conflict", "open"]
Action = Literal["message", "wait", "submit", "read", "edit", "run", "git", "answer"]


class ShownVerdict(Record):
    """What the page says first."""

    tone: Tone
    title: str
    reason: str
    """One sentence, from the explanation of the episode."""
    cause: str | None = None
    notes: tuple[str, ...] = ()
    jump: str = ""
    """Address of the place to look at, such as `suite.naive.5`."""
    jump_text: str = ""
    last_word: int | None = None
    """The number of the last message, where the team failed."""


class Wait(Record):
    """Time in which a member waited."""

    span: Span
    kind: Literal["message", "model"]
    """For a message, or for the model's provider to answer again."""
    what: str
    """Such as `for agent2, ended by message`."""


class LaneStep(Record):
    """One call of the model and what came of it. Texts are in its `StepDetails`."""

    number: int
    action: Action
    label: str
    model: Span
    act: Span
    first_token: float | None = None
    estimated: bool = False
    """True where the record has no start, and the end of what came before stands for it."""
    waits: tuple[Wait, ...] = ()
    exit_code: int | None = None
    failed: bool = False
    timed_out: bool = False
    calls: int = 1
    """Tools that were called at once."""
    repeat: int = 1
    """Which time the member does exactly this."""
    cost: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    changed: tuple[str, ...] = ()
    """Files of the work tree that changed."""
    position: int | None = None
    """Of the model's answer in the trajectory, from 0; what a label names."""


class Mark(Record):
    """Something that happened to a member at one moment: a limit, an error, a rescue."""

    time: float
    kind: str
    text: str


class Lane(Record):
    """One member."""

    agent_id: AgentId
    agent: str
    model: str
    features: tuple[FeatureId, ...]
    title: str
    begin: float
    ready: float
    end: float
    ending: str
    """As in `result.json`; empty while it works."""
    steps: tuple[LaneStep, ...] = ()
    marks: tuple[Mark, ...] = ()
    cost: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    patch_lines: int = 0
    chunks: int = 0
    """The number of its `DetailChunk`s."""


class ShownMessage(Record):
    """A message between members, or a notice of the harness."""

    id: str
    """`message.3`, by its sequence; `notice.3` for a notice."""
    number: int
    """From 1, in the order of the broker."""
    sender: str
    to: str
    text: str
    sent: float
    read: float | None = None
    refused: str | None = None
    reply_to: str | None = None
    question: bool = False
    crossed: tuple[int, ...] = ()
    """Numbers of the messages that crossed this one: the later one was sent before its sender had read the earlier."""
    step: str | None = None
    """The step that sent it, such as `agent1.7`."""
    sequence: int | None = None
    """In `conversation.json`; what a label names."""


class ShownRef(Record):
    """A branch in a push or fetch."""

    branch: str
    commit: str
    subject: str = ""
    refused: str | None = None
    changed: tuple[str, ...] | None = None
    conflicts: tuple[str, ...] = ()
    """Each teammate's branch that it would conflict with, with the files."""


class GitMove(Record):
    """A push to the shared remote or a fetch from it."""

    id: str
    agent_id: AgentId
    push: bool
    time: float
    refs: tuple[ShownRef, ...]
    step: str | None = None


class BoardEntry(Record):
    """A change of the team's task board."""

    id: str
    agent_id: str
    time: float
    text: str


class ChangedRange(NamedTuple):
    """Lines of the base that were changed: the first, and how many went and came."""

    first: int
    removed: int
    added: int


class FileSide(Record):
    """What one member did to a file."""

    agent_id: AgentId
    ranges: tuple[ChangedRange, ...]
    added: int
    removed: int
    diff: str
    new: bool = False
    dropped: str = ""
    """Why it was left out before merging."""
    first_written: float | None = None


class ShownFile(Record):
    """A file that somebody changed."""

    path: str
    sides: tuple[FileSide, ...]
    length: int
    """Lines of the base as far as the patches tell."""
    overlaps: tuple[Span, ...] = ()
    """First and last line of the base that several members changed."""
    mentions: tuple[int, ...] = ()
    """Numbers of the messages that name it."""


class Suspect(Record):
    """A name that one member changed and another one newly uses: found by name, so a guess."""

    name: str
    changed_by: AgentId
    path: str
    used_by: AgentId
    used_in: str


class EpisodePage(Record):
    """Everything that the page of an episode shows, but for the texts of steps."""

    schema_version: int = 1
    run: str
    episode: str
    setting: str
    repo: str
    task_id: int
    features: tuple[FeatureId, ...]
    titles: dict[FeatureId, str]
    repeat: int = 1
    policy: str
    state: str
    """`finished`, `unfinished`, …"""
    live: bool = False
    started_at: UtcTime | None
    work_end: float
    tests_begin: float
    end: float
    evaluation_seconds: float | None = None
    verdict: ShownVerdict
    lanes: tuple[Lane, ...] = ()
    messages: tuple[ShownMessage, ...] = ()
    git: tuple[GitMove, ...] = ()
    has_remote: bool = False
    board: tuple[BoardEntry, ...] = ()
    stages: tuple[ShownStage, ...] = ()
    suites: tuple[ShownSuite, ...] = ()
    files: tuple[ShownFile, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    labels: tuple[Label, ...] = ()
    total_cost: float | None = None
    total_steps: int = 0
    unclear: tuple[str, ...] = ()
    """What could not be read."""
