"""The same scripted pair with messages on or off and git on or off: what the means to work together are worth."""

import json
from pathlib import Path

import pytest

from cooperbench.records import Outcome
from cooperbench.runner import EvaluationOptions, run

pytestmark = pytest.mark.needs("sandbox")


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize(
    ("messaging", "git", "outcome", "sent"),
    [
        (True, False, Outcome.PASSED, 2),
        (False, True, Outcome.PASSED, 0),
        (False, False, Outcome.MERGE_CONFLICT, 0),
    ],
)
def test_members_who_cannot_reach_each_other_conflict(
    messaging: bool, git: bool, outcome: Outcome, sent: int, surroundings: Path
) -> None:
    ended = run(
        "pair",
        model_name="scripted/adapts",
        subset="demo",
        repo="ledgerkit",
        features=(4, 5),
        messaging=messaging,
        git=git,
        log_dir=surroundings,
        evaluation=EvaluationOptions(singles="none"),
    )
    [episode] = ended.episodes
    assert episode.result is not None
    assert episode.evaluation is not None
    assert episode.evaluation.verdict.outcome is outcome
    assert episode.result.messages == sent
    events = [json.loads(line)["kind"] for line in (episode.directory / "events.jsonl").read_text().splitlines()]
    assert ("git.push" in events) is git
    assert ("message.sent" in events) is messaging
    assert all(member.usage.cost for member in episode.result.agents.values())


def test_a_team_is_named_seat_by_seat(surroundings: Path) -> None:
    ended = run(
        "mixed",
        team="gold:one,nop:two/b:c",
        subset="demo",
        repo="ledgerkit",
        features=(4, 5),
        auto_eval=False,
        log_dir=surroundings,
    )
    [episode] = ended.episodes
    assert episode.result is not None
    members = [(member.agent, member.model, member.patch_lines > 0) for member in episode.result.agents.values()]
    assert members == [("gold", "one", True), ("nop", "two/b:c", False)]
