"""The first lines of the page: how the episode ended, why, and where to look."""

import re
from collections.abc import Sequence

from cooperbench.analysis.explanation import Cause, Explanation
from cooperbench.records import Outcome
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.viewer.merge_models import ShownStage, ShownSuite
from cooperbench.viewer.merges import SINGLE, decisive_stage
from cooperbench.viewer.models import GitMove, Lane, ShownMessage, ShownVerdict

_TITLES = {
    Outcome.PASSED: "Passed",
    Outcome.TESTS_FAILED: "Tests fail",
    Outcome.FORCED: "Passes by force",
    Outcome.MERGE_CONFLICT: "Merge conflict",
    Outcome.PATCH_REJECTED: "Patch rejected",
    Outcome.NO_PATCH: "Nothing handed in",
    Outcome.INFRA_ERROR: "Not scored",
}
_STATES = {
    EpisodeState.NEW: "Not begun",
    EpisodeState.UNFINISHED: "Unfinished",
    EpisodeState.FINISHED: "Not judged",
    EpisodeState.UNREADABLE: "Not readable",
}


def shown_verdict(
    episode: EpisodeView,
    explanation: Explanation,
    lanes: Sequence[Lane],
    messages: Sequence[ShownMessage],
    git: Sequence[GitMove],
    stages: Sequence[ShownStage],
    suites: Sequence[ShownSuite],
    *,
    live: bool = False,
) -> ShownVerdict:
    """Say how the episode ended and where to look first."""
    said = [each for each in messages if each.sender != "harness"]
    verdict = episode.verdict
    reason = _sentence(explanation.sentence, lanes)
    if verdict is None:
        title = _STATES.get(episode.state, "Not scored")
        if episode.state is EpisodeState.NEW:
            reason = "The run has not come to it yet."
        if live:
            title, reason = "At work", "What the members have done so far; the verdict comes with the evaluation."
        return ShownVerdict(tone="open", title=title, reason=reason, cause=explanation.cause)
    if verdict.passed:
        return _passed(lanes, git, stages)
    stage = decisive_stage(stages)
    conflict = verdict.outcome is Outcome.MERGE_CONFLICT
    failing = [suite for suite in suites if stage and suite.stage == verdict.stage and suite.outcome != "passed"]
    jump = stage.id if stage and conflict else failing[0].id if failing else stage.id if stage else ""
    broken = explanation.cause is Cause.BREAK
    return ShownVerdict(
        tone="conflict" if conflict else "fail",
        title="Merges, but breaks" if broken else _TITLES[verdict.outcome],
        reason=_broken(failing) if broken and failing else _unable(explanation, suites) or reason,
        cause=explanation.cause,
        notes=_notes(explanation, lanes, said, suites),
        jump=jump,
        jump_text="See the conflict" if conflict else "See the failing tests" if failing else "See the merge",
        last_word=said[-1].number if said else None,
    )


def _sentence(line: str, lanes: Sequence[Lane]) -> str:
    """Return a line as a sentence. Names of members keep their first letter."""
    named = any(line.startswith(lane.agent_id) for lane in lanes)
    return (line if named else line[:1].upper() + line[1:]) + ("" if line.endswith((".", "!", "?")) else ".")


def _broken(failing: Sequence[ShownSuite]) -> str:
    counts = [
        f"feature {suite.feature} fails {len(suite.failing)} of {len(suite.failing) + suite.passed} hidden tests"
        for suite in failing
    ]
    return f"Each feature passes alone and the merge is clean, yet {' and '.join(counts)}."


def _unable(explanation: Explanation, suites: Sequence[ShownSuite]) -> str:
    """Say how many tests fail on the work of the members who could not do their feature; empty for other causes."""
    if explanation.cause is not Cause.COULD_NOT:
        return ""
    alone = {(suite.stage, suite.feature): suite for suite in suites}
    said = []
    for each in explanation.features:
        suite = alone.get((f"{SINGLE}{each.agent_id}", each.feature))
        if each.cause is Cause.COULD_NOT and suite is not None and suite.failing:
            count = f"{len(suite.failing)} of {len(suite.failing) + suite.passed}"
            said.append(
                f"feature {each.feature} of {each.agent_id} fails {count} hidden tests on that member's work alone"
            )
    line = "; ".join(said)
    return f"{line[:1].upper()}{line[1:]}." if said else ""


def _passed(lanes: Sequence[Lane], git: Sequence[GitMove], stages: Sequence[ShownStage]) -> ShownVerdict:
    stage = decisive_stage(stages)
    features = sum(len(lane.features) for lane in lanes)
    subject = "The feature passes" if features == 1 else "Both features pass" if features == 2 else "All features pass"
    how = f" after a {stage.name} merge" if stage is not None and len(lanes) > 1 else ""
    fetched = next((move for move in git if not move.push and move.step), None)
    return ShownVerdict(
        tone="pass",
        title="Passed",
        reason=f"{subject} the hidden tests{how}.",
        notes=(f"{fetched.agent_id} fetched its teammate's work before it submitted.",) if fetched else (),
        jump=(fetched.step or "") if fetched else "",
        jump_text="See the step" if fetched else "",
    )


def _notes(
    explanation: Explanation, lanes: Sequence[Lane], said: Sequence[ShownMessage], suites: Sequence[ShownSuite]
) -> tuple[str, ...]:
    notes = [
        f"Suspect: {each.used_by} calls {each.name}(), which {each.changed_by} changed."
        for each in explanation.symbols[:1]
    ]
    alone = [suite for suite in suites if suite.stage.startswith(SINGLE)]
    sentence = explanation.sentence
    if alone and all(suite.outcome == "passed" for suite in alone) and not re.search("passes? alone", sentence):
        notes.append("Each feature passes alone.")
    if not said and len(lanes) > 1 and not re.search(r"nobody sent a message", sentence):
        notes.append("Nobody sent a message.")
    unread = sum(each.read is None and not each.refused for each in said)
    if unread:
        notes.append(f"{unread} message{'s were' if unread > 1 else ' was'} never read.")
    return tuple(notes)
