"""Verify a bundle: check what it says, then judge its patches again."""

import random
from collections.abc import Sequence
from pathlib import Path

from cooperbench import __version__
from cooperbench.errors import UsageError
from cooperbench.evaluation.testbench import EVALUATOR
from cooperbench.publishing.checking import CheckedBundle, check_bundle
from cooperbench.publishing.rejudging import JudgedAgain, JudgingOptions, check_data, judge_again
from cooperbench.publishing.unpacking import ARCHIVES, open_bundle
from cooperbench.records import GroupKey, utc_now
from cooperbench.records.owned_temp_dir import scratch_directory
from cooperbench.records.paths import AnyPath
from cooperbench.records.published import PublishedRun, Verification

RECORD = ".verification.json"
"""What the name of a verification ends with, beside a bundle of the same name."""


def verify_bundle(
    source: AnyPath, options: JudgingOptions | None = None, *, sample: int | None = None, seed: int | None = None
) -> Verification:
    """Check a bundle, a folder or an archive, and judge its patches again: all, or `sample` episodes drawn with `seed`.

    A bundle that is not as it says is not judged. Raises `UsageError` for what cannot be checked here: no bundle, an unknown format,
    other data.
    """
    options = options or JudgingOptions()
    with open_bundle(source) as place:
        checked = check_bundle(place)
        found = JudgedAgain()
        if not checked.discrepancies and checked.statement is not None:
            found = _judge(checked, checked.statement.runs, options, sample, seed)
        return _verification(checked, found, options)


def record_path(source: AnyPath) -> Path:
    """Return where the verification of a bundle lies: beside it."""
    path = Path(source).expanduser().absolute()
    ending = next((each for each in ARCHIVES if path.name.endswith(each)), "")
    return path.with_name(f"{path.name.removesuffix(ending)}{RECORD}")


def _judge(
    checked: CheckedBundle, said: Sequence[PublishedRun], options: JudgingOptions, sample: int | None, seed: int | None
) -> JudgedAgain:
    chosen = _chosen(said, sample, seed)
    for run, published in zip(checked.runs, said, strict=True):
        if published.evaluator != EVALUATOR:
            raise UsageError(
                f"the bundle was judged by {published.evaluator}, and this version has {EVALUATOR}",
                subject=published.run,
                hint=f"verify it with cooperbench {run.config.versions.get('cooperbench', 'of its version')}",
            )
        check_data(run, chosen[published.run], options.dataset_dir)
    whole = JudgedAgain()
    with scratch_directory() as scratch:
        for number, (run, published) in enumerate(zip(checked.runs, said, strict=True)):
            if chosen[published.run]:
                found = judge_again(run, published, chosen[published.run], scratch / str(number), options)
                whole.judged += found.judged
                whole.tests += found.tests
                whole.discrepancies += found.discrepancies
                whole.flaky += found.flaky
                whole.notes += found.notes
    return whole


def _chosen(runs: Sequence[PublishedRun], sample: int | None, seed: int | None) -> dict[str, list[GroupKey]]:
    """Return the episodes to judge again by run, in their order."""
    all_judged = [(run.run, each.group) for run in runs for each in run.episodes if each.outcome is not None]
    if sample is not None and sample < len(all_judged):
        drawn = set(random.Random(seed).sample(range(len(all_judged)), sample))
        all_judged = [each for number, each in enumerate(all_judged) if number in drawn]
    return {run.run: [group for name, group in all_judged if name == run.run] for run in runs}


def _verification(checked: CheckedBundle, found: JudgedAgain, options: JudgingOptions) -> Verification:
    statement = checked.statement
    runs = statement.runs if statement is not None else ()
    return Verification(
        bundle=checked.digest,
        team=statement.team if statement is not None else "?",
        cooperbench=__version__,
        evaluator=EVALUATOR,
        backend=(options.backend or "as in the bundle") if found.judged else None,
        episodes=sum(run.judged for run in runs),
        judged=found.judged,
        tests=found.tests,
        discrepancies=(*checked.discrepancies, *found.discrepancies),
        flaky=tuple(found.flaky),
        notes=tuple(found.notes),
        checked_at=utc_now(),
    )
