"""The fields of flat rows: one for each episode and policy, and one for each member."""

from cooperbench.records.base import Record, UtcTime


class GroupFacts(Record):
    """What a row of an episode and those of its members have in common."""

    run: str
    setting: str
    backend: str
    git: bool
    messaging: bool
    task_board: bool
    data: str
    """Name of the data set."""
    data_revision: str | None
    """Of all tasks of the run."""
    task_revision: str | None
    """Of this task alone, comparable between runs; `None` in earlier runs."""
    subset: str | None
    seed: int | None
    repo: str
    task_id: int
    task: str
    """`repo/task_id`, the pool of features: the cluster in statistics."""
    group: str
    """`repo/task_id/f1_f2`: what two runs are paired by."""
    episode: str
    """As `group`, with the repeat."""
    repeat: int
    features: tuple[int, ...]
    size: int
    language: str | None
    state: str
    """How far the episode has come: `finished`, `new`, `infra_error`, …"""


class EpisodeRow(GroupFacts):
    """One episode under one policy."""

    agents: tuple[str, ...]
    """Agent framework of each member."""
    models: tuple[str, ...]
    """Model of each member."""
    policy: str
    run_policy: bool
    """True if that is the policy that the run was made with."""
    judged: bool
    outcome: str | None
    passed: bool | None
    stage: str | None
    """The merge stage that decided."""
    reason: str
    feature_outcomes: tuple[str, ...]
    """In the order of `features`; empty without a verdict."""
    feature_reasons: tuple[str, ...]
    features_passed: int | None
    naive: str | None
    """Status of the merge by git alone: `clean`, `conflict`, `rejected`, `empty`, `error`; `None` if not evaluated."""
    naive_passed: bool | None
    """True if all tests pass after it; `None` if they did not run."""
    union: str | None
    union_passed: bool | None
    resolver: str | None
    resolver_passed: bool | None
    alone_passed: bool | None
    """True if every member's own features pass on its work alone; `None` if that was not tested."""
    conflict_paths: tuple[str, ...]
    """Files that git alone could not merge."""
    cost: float | None
    """US dollars; `None` if any member's is unknown."""
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    steps: int | None
    seconds: float | None
    """From the first member's start to the last one's end."""
    agent_seconds: float | None
    """Sum over the members."""
    messages: int | None
    attempts: int
    error: str | None
    """Kind of the failure of an episode that cannot be judged."""
    step_budget: int | None
    """Sum over the members; `None` if one has no limit. So are the other budgets."""
    token_budget: int | None
    cost_budget: float | None
    wall_time: float
    """Seconds, the longest of a member."""
    image_digest: str | None
    started_at: UtcTime | None
    ended_at: UtcTime | None


class MemberRow(GroupFacts):
    """One member of an episode that has a result."""

    agent_id: str
    agent: str
    model: str
    role: str | None
    own_features: tuple[int, ...]
    ending: str
    status: str
    steps: int
    cost: float | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    seconds: float
    messages_sent: int
    messages_received: int
    patch_lines: int
    submitted: bool
    """True if the submission is not empty."""
    limit: str | None
    """Kind of the limit that ended the work."""
    error: str | None
    """Kind of the failure."""
    step_limit: int | None
    token_limit: int | None
    cost_limit: float | None
    wall_time: float
    alone_passed: bool | None
    """True if its own features pass on its work alone; `None` if that was not tested."""
    started_at: UtcTime
    ended_at: UtcTime
