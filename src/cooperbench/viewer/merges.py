"""The merge stages of an evaluation and their suites, as a page shows them."""

from collections.abc import Iterator, Sequence

from cooperbench.records import Evaluation, MergeStep, Outcome, Stage, SuiteResult, TestStatus, Verdict
from cooperbench.viewer.clock import EpisodeClock, Span
from cooperbench.viewer.merge_models import Region, ShownMergeStep, ShownStage, ShownSuite, ShownTest
from cooperbench.viewer.texts import cut

SINGLE = "single:"
_FAILING = (TestStatus.FAILED, TestStatus.ERROR)


def shown_stages(
    clock: EpisodeClock, evaluation: Evaluation, verdict: Verdict | None, begin: float
) -> tuple[ShownStage, ...]:
    """Return the stages in the order in which they were made."""
    return tuple(
        ShownStage(
            id=f"merge.{stage.name}",
            name=stage.name.removeprefix(SINGLE),
            status=stage.status.value,
            counts=verdict is not None and stage.name == verdict.stage,
            alone=stage.name.removeprefix(SINGLE) if stage.name.startswith(SINGLE) else None,
            span=_span(clock, stage, begin),
            same_as=stage.same_as,
            steps=tuple(ShownMergeStep(agent_id=s.agent_id, status=s.status.value, note=_note(s)) for s in stage.steps),
            regions=tuple(region for step in stage.steps for region in _regions(step)),
            error=cut(stage.error.message) if stage.error else "",
        )
        for stage in evaluation.stages
    )


def _span(clock: EpisodeClock, stage: Stage, begin: float) -> Span:
    if stage.started_at is None or stage.ended_at is None:
        return Span(begin, begin)
    return clock.span(stage.started_at, stage.ended_at)


def _note(step: MergeStep) -> str:
    if step.relation:
        return f"{step.relation}: the work was already there"
    return cut(step.reason)


def _regions(step: MergeStep) -> Iterator[Region]:
    for conflict in step.conflicts:
        for number in range(max(1, len(conflict.regions), len(conflict.sides))):
            yield Region(
                path=_encodable(conflict.path),
                kind=conflict.kind,
                line=conflict.regions[number][0] if number < len(conflict.regions) else None,
                ours=conflict.ours,
                theirs=conflict.theirs or step.agent_id,
                sides=conflict.sides[number] if number < len(conflict.sides) else None,
            )


def _encodable(path: str) -> str:
    return path.encode("utf-8", "replace").decode()


def shown_suites(clock: EpisodeClock, evaluation: Evaluation, begin: float) -> tuple[ShownSuite, ...]:
    """Return the suites of all stages. Stages with the same tree share theirs: later ones are marked `reused`."""
    suites = []
    tested: set[tuple[str, int]] = set()
    for stage in evaluation.stages:
        for suite in stage.suites:
            key = stage.tree or stage.name, suite.feature
            suites.append(_suite(clock, stage, suite, begin, reused=stage.same_as is not None or key in tested))
            tested.add(key)
    return tuple(suites)


def _suite(clock: EpisodeClock, stage: Stage, suite: SuiteResult, begin: float, *, reused: bool) -> ShownSuite:
    known = suite.started_at is not None and suite.ended_at is not None
    span = Span(begin, round(begin + suite.seconds, 4))
    if suite.started_at is not None and suite.ended_at is not None:
        span = clock.span(suite.started_at, suite.ended_at)
    failing = _failing(suite)
    names = {test.name for test in failing}
    return ShownSuite(
        id=f"suite.{stage.name}.{suite.feature}",
        stage=stage.name,
        feature=suite.feature,
        outcome=suite.outcome.value,
        reason=cut(suite.reason),
        span=span,
        estimated=not known,
        passed=sum(test.status is TestStatus.PASSED and test.name not in names for test in suite.tests),
        skipped=sum(test.status is TestStatus.SKIPPED for test in suite.tests),
        failing=failing,
        output=cut(suite.output_tail),
        reused=reused,
    )


def _failing(suite: SuiteResult) -> tuple[ShownTest, ...]:
    """Return the tests that had to pass and did not, those that ran first. Other failures of a suite that passed are the base's."""
    required = set(suite.failed)
    ran = [test for test in suite.tests if test.name in required or (not required and test.status in _FAILING)]
    shown = [ShownTest(name=cut(test.name), status=test.status.value, output=_output(test.output)) for test in ran]
    missing = required - {test.name for test in ran}
    shown += [ShownTest(name=cut(name), status="not run") for name in sorted(missing)]
    return tuple(shown) if suite.outcome is not Outcome.PASSED else ()


def _output(text: str | None) -> str | None:
    return None if text is None else cut(text)


def decisive_stage(stages: Sequence[ShownStage]) -> ShownStage | None:
    """Return the stage that the verdict goes by; without a verdict the first merge of all."""
    return next((stage for stage in stages if stage.counts), next((s for s in stages if s.alone is None), None))
