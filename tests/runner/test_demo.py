from pathlib import Path

import pytest

from cooperbench.records import Outcome
from cooperbench.runner.demo import Gap, coordination_gap, run_demo
from cooperbench.runner.scenarios import read_scenarios

pytestmark = pytest.mark.needs("sandbox")


@pytest.mark.slow  # five episodes with their evaluations
def test_the_scenarios_end_as_their_names_say(surroundings: Path) -> None:
    results = run_demo(surroundings)
    outcomes = {
        item.scenario.name: item.episode.evaluation.verdict.outcome
        for item in results
        if item.episode.evaluation is not None
    }
    assert outcomes == {
        "talks_and_passes": Outcome.PASSED,
        "silent_and_conflicts": Outcome.MERGE_CONFLICT,
        "merges_but_breaks": Outcome.TESTS_FAILED,
        "warns_and_passes": Outcome.PASSED,
        "solo_passes": Outcome.PASSED,
    }
    messages = {item.scenario.name: item.episode.result.messages for item in results if item.episode.result is not None}
    assert messages["talks_and_passes"] == 4
    assert messages["silent_and_conflicts"] == 0
    assert coordination_gap(results) == Gap(solo_passed=1, solo=1, coop_passed=2, coop=4)


def test_a_gap_needs_both_sides() -> None:
    assert Gap(1, 1, 2, 4).points == 50
    assert Gap(0, 0, 2, 4).points is None


def test_a_team_that_is_silent_has_nothing_to_talk_with() -> None:
    messaging = {scenario.name: scenario.messaging for scenario in read_scenarios()}
    assert messaging["talks_and_passes"]
    assert not messaging["silent_and_conflicts"]
    assert not messaging["solo_passes"]
