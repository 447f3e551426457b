"""Why groups fail: the causes, the places and names that were contested, and the command that says so."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest

from cooperbench.analysis.explanation import Cause, explain_episode
from cooperbench.records import Ending, EpisodeStatus, Event, Outcome, Setting
from tests.analysis.recorded import BEGUN, CONFLICT, FAILED, PASSED, Recorded, record_run
from tests.command_line import cooperbench

NO_PATCH = Outcome.NO_PATCH


def change(path: str, line: int, old: str, new: str, heading: str = "") -> bytes:
    """Return a patch of one line, as git writes it without context."""
    head = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
    return f"{head}@@ -{line} +{line} @@ {heading}\n-{old}\n+{new}\n".encode()


CAUSES: list[tuple[Recorded, Setting, Cause | None, set[Cause]]] = [
    (Recorded(), Setting.COOP, None, set()),
    (Recorded(outcomes=(PASSED, FAILED)), Setting.COOP, Cause.BREAK, set()),
    (Recorded(outcomes=(PASSED, FAILED), alone=(PASSED, FAILED)), Setting.COOP, Cause.COULD_NOT, set()),
    (Recorded(outcomes=(FAILED, FAILED), alone=(PASSED, FAILED)), Setting.COOP, Cause.COULD_NOT, {Cause.BREAK}),
    (Recorded(outcomes=(CONFLICT, CONFLICT), conflicts=("a.py",)), Setting.COOP, Cause.CONFLICT, set()),
    (
        Recorded(outcomes=(CONFLICT, CONFLICT), conflicts=("a.py",), alone=(FAILED, PASSED)),
        Setting.COOP,
        Cause.COULD_NOT,
        {Cause.CONFLICT},
    ),
    (
        Recorded(outcomes=(NO_PATCH, PASSED), patches=(b"", change("a", 1, "x", "y"))),
        Setting.COOP,
        Cause.NOTHING_HANDED_IN,
        set(),
    ),
    (
        Recorded(outcomes=(PASSED, FAILED), alone=(PASSED, FAILED), endings=(Ending.SUBMITTED, Ending.LIMIT)),
        Setting.COOP,
        Cause.LIMIT,
        set(),
    ),
    (
        Recorded(outcomes=(NO_PATCH, PASSED), patches=(b"", b""), endings=(Ending.TIMEOUT, Ending.SUBMITTED)),
        Setting.COOP,
        Cause.LIMIT,
        set(),
    ),
    # A limit that did not keep the member from doing its own feature is not the cause.
    (Recorded(outcomes=(PASSED, FAILED), endings=(Ending.SUBMITTED, Ending.LIMIT)), Setting.COOP, Cause.BREAK, set()),
    (Recorded(outcomes=(PASSED, FAILED), alone=None), Setting.COOP, Cause.UNDETERMINED, set()),
    (Recorded(outcomes=(PASSED, FAILED)), Setting.SOLO, Cause.COULD_NOT, set()),
    (Recorded(status=EpisodeStatus.INFRA_ERROR), Setting.COOP, Cause.INFRASTRUCTURE, set()),
    (Recorded(judged=False), Setting.COOP, None, set()),
    (Recorded(outcomes=(PASSED, Outcome.FORCED), alone=(PASSED, Outcome.FORCED)), Setting.COOP, Cause.COULD_NOT, set()),
    (
        Recorded(outcomes=(Outcome.PATCH_REJECTED, Outcome.PATCH_REJECTED), alone=None),
        Setting.COOP,
        Cause.NOTHING_HANDED_IN,
        set(),
    ),
]


@pytest.mark.parametrize(("episode", "setting", "cause", "also"), CAUSES)
def test_each_failure_has_one_cause(
    tmp_path: Path, episode: Recorded, setting: Setting, cause: Cause | None, also: set[Cause]
) -> None:
    run = record_run(tmp_path, "run", [episode], setting=setting)
    found = explain_episode(run, run.episodes[0])
    assert found.cause == cause
    assert set(found.also) == also
    assert found.sentence
    assert "\n" not in found.sentence


def test_a_conflict_names_the_lines_their_authors_and_what_was_said(tmp_path: Path) -> None:
    written = Event(sequence=0, time=BEGUN, kind="tool.result", agent_id="agent1", data={"changed": ["src/a.py"]})
    episode = Recorded(
        outcomes=(CONFLICT, CONFLICT),
        conflicts=("src/a.py",),
        patches=(
            change("src/a.py", 10, "old", "mine") + change("src/b.py", 1, "b", "c"),
            change("src/a.py", 11, "next", "yours") + change("src/b.py", 50, "b", "c"),
        ),
        messages=(("agent1", "agent2", "I edit a.py now"), ("agent2", "agent1", "I do not touch data.py")),
        events=(written,),
    )
    run = record_run(tmp_path, "run", [episode])
    found = explain_episode(run, run.episodes[0])
    [place] = found.places  # b.py was changed far apart
    assert (place.path, place.conflict) == ("src/a.py", True)
    assert [(side.agent_id, side.first, side.last, side.added) for side in place.sides] == [
        ("agent1", 10, 10, ("mine",)),
        ("agent2", 11, 11, ("yours",)),
    ]
    assert [side.written_at for side in place.sides] == [BEGUN, None]
    assert [(mention.sender, mention.time) for mention in place.mentions] == [("agent1", BEGUN + timedelta(seconds=0))]
    assert found.sentence == "agent1 and agent2 changed the same lines of src/a.py; messages name src/a.py"


@pytest.mark.parametrize(
    ("definition", "use"),
    [
        ("def find(self):", "return self.find(1)"),
        ("    async def find(self):", "find()"),
        ("func (s *Store) find() int {", "x := s.find()"),
        ("pub fn find<T>(x: T) {", "store.find(1)"),
        ("export function find(x) {", "find(x)"),
        ("class find:", "find.x"),
    ],
)
def test_a_break_suspects_what_one_changed_and_the_other_uses(tmp_path: Path, definition: str, use: str) -> None:
    patches = (change("a.py", 10, "return 1", "return 2", definition), change("b.py", 3, "pass", use))
    run = record_run(tmp_path, "run", [Recorded(outcomes=(PASSED, FAILED), patches=patches)])
    found = explain_episode(run, run.episodes[0])
    assert [(each.name, each.changed_by, each.used_by) for each in found.symbols] == [("find", "agent1", "agent2")]
    assert "suspect: agent1 changed find" in found.sentence


def test_the_command_counts_causes_and_shows_one_episode(tmp_path: Path) -> None:
    evil = change("src/a.py", 1, "x", "\x1b[2Jmine")
    episodes = [
        Recorded(),
        Recorded(features=(1, 3), outcomes=(CONFLICT, CONFLICT), conflicts=("src/a.py",), patches=(evil, evil)),
        Recorded(features=(2, 3), outcomes=(PASSED, FAILED)),
    ]
    record_run(tmp_path, "run", episodes)
    whole = cooperbench("explain", "run", "--log-dir", str(tmp_path))
    assert whole.code == 0
    assert "3 episodes under naive@1: 1 passed, 2 failed" in whole.out
    assert "1 textual conflict" in whole.out
    one = cooperbench("explain", "run", "shelfdb_task/1/f1_f3", "--log-dir", str(tmp_path))
    assert one.out.startswith(
        "textual conflict: agent1 and agent2 changed the same lines of src/a.py; nobody sent a message"
    )
    assert "\x1b" not in one.out
    table = cooperbench("explain", "run", "--csv", "--log-dir", str(tmp_path))
    rows = list(csv.DictReader(io.StringIO(table.out)))
    assert [row["cause"] for row in rows] == ["", "textual conflict", "semantic break"]
    facts = cooperbench("explain", "run", "--json", "--log-dir", str(tmp_path)).facts
    assert [each["cause"] for each in facts] == [None, "textual conflict", "semantic break"]


def test_bad_names_are_one_line(tmp_path: Path) -> None:
    record_run(tmp_path, "run", [Recorded()])
    for arguments in (["nothing"], ["run", "shelfdb_task/1/f7_f8"], ["run", "--policy", "none"], ["run", "--bisect"]):
        said = cooperbench("explain", *arguments, "--log-dir", str(tmp_path), cwd=tmp_path)
        assert (said.code, said.out) == (2, ""), said
        assert [line.split(":")[0].strip() for line in said.err.splitlines()] in (["error"], ["error", "try"])
