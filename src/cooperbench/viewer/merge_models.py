"""What a page shows of an evaluation: merge stages, conflicts, suites. All times are seconds from the beginning of the episode."""

from cooperbench.records import AgentId, ConflictSides, FeatureId, Record
from cooperbench.viewer.clock import Span


class Region(Record):
    """Lines of one file that a merge could not settle."""

    path: str
    kind: str
    line: int | None
    ours: tuple[AgentId, ...]
    theirs: AgentId | None
    sides: ConflictSides | None


class ShownMergeStep(Record):
    """The addition of one member's work."""

    agent_id: AgentId
    status: str
    note: str = ""


class ShownStage(Record):
    """One way of putting the submissions together."""

    id: str
    name: str
    status: str
    counts: bool
    """True if the verdict goes by it."""
    alone: AgentId | None
    """The member whose work it holds alone."""
    span: Span
    same_as: str | None = None
    steps: tuple[ShownMergeStep, ...] = ()
    regions: tuple[Region, ...] = ()
    error: str = ""


class ShownTest(Record):
    """A test that does not pass."""

    name: str
    status: str
    output: str | None = None


class ShownSuite(Record):
    """The hidden tests of one feature on the tree of one stage."""

    id: str
    stage: str
    feature: FeatureId
    outcome: str
    reason: str
    span: Span
    estimated: bool = False
    """True where the record has no start."""
    passed: int
    skipped: int = 0
    failing: tuple[ShownTest, ...] = ()
    output: str = ""
    reused: bool = False
    """True if they ran on the same tree in an earlier stage."""
