"""Print facts about tasks as tables."""

from collections.abc import Iterable, Sequence

import click

from cooperbench.cli.output import counted
from cooperbench.evaluation import FeatureValidation, GroupValidation, PairConflict, TaskStatistics, TaskValidation


def show_validation(validation: TaskValidation) -> None:
    """Print what a validation found, feature by feature."""
    name = f"{validation.repo}/{validation.task_id}"
    rows = [_validation_row(feature) for feature in validation.features]
    click.echo(f"{name} on {validation.backend}, {counted(validation.repetitions, 'run')} per gold patch")
    table(
        (
            "feature",
            "fails on base",
            "passes on gold",
            "combined",
            "tests",
            "flaky",
            "breakable",
            "seconds",
            "problems",
        ),
        rows,
    )
    later = "unknown" if validation.later_commits is None else validation.later_commits
    click.echo(
        f"conflicting pairs: {validation.pairs_conflicting} of {validation.pairs}; later commits in the image: {later}"
    )
    for feature in validation.features:
        if feature.dropped:
            click.echo(f"feature {feature.feature}: removed from every submission: {', '.join(feature.dropped)}")
        if feature.unbreakable:
            click.echo(f"feature {feature.feature}: no edit breaks {', '.join(feature.unbreakable)}")
    for problem in validation.problems:
        click.echo(f"problem: {problem}")
    click.echo(f"{name}: {'ok' if validation.ok else 'NOT OK'}\n")


def show_groups(groups: Sequence[GroupValidation]) -> None:
    """Print which groups can be solved, and by what."""
    for group in groups:
        solved = f"solved by {group.solved_by}" if group.solved_by else f"NOT SOLVED: {group.problem}"
        conflicts = f"; {counted(group.conflicts, 'conflicting pair')}" if group.conflicts else ""
        click.echo(f"group {', '.join(map(str, group.features))}: {solved}{conflicts}")
    if groups:
        conflicting = sum(group.conflicts > 0 for group in groups)
        click.echo(
            f"{sum(group.ok for group in groups)} of {counted(len(groups), 'group')} can be solved; {conflicting} with conflicts\n"
        )


def validated(feature: FeatureValidation) -> str:
    """Say that a feature is checked."""
    return f"feature {feature.feature}: {'; '.join(feature.problems) or 'ok'}"


def _validation_row(f: FeatureValidation) -> tuple[object, ...]:
    return (
        f.feature,
        _mark(f.fails_on_base),
        _mark(f.passes_on_gold),
        "-" if f.passes_combined is None else _mark(f.passes_combined),
        f.tests,
        len(f.flaky),
        f"{f.breakable}/{f.fail_to_pass}",
        f"{f.seconds:.1f}",
        "; ".join(f.problems),
    )


def show_table(found: Iterable[TaskStatistics]) -> None:
    """Print sizes, overlaps and conflicts, one task per line."""
    titles = ("task", "language", "features", "gold lines", "pairs", "sharing files", "conflicting")
    table(titles, [_statistics_row(statistics) for statistics in found])


def _statistics_row(found: TaskStatistics) -> tuple[object, ...]:
    lines = sorted(found.gold_lines.values())
    return (
        f"{found.repo}/{found.task_id}",
        found.language,
        len(lines),
        f"{lines[0]}-{lines[-1]}",
        found.pairs,
        found.pairs_sharing_files,
        "?" if found.pairs_conflicting is None else found.pairs_conflicting,
    )


def show_pairs(statistics: TaskStatistics, pairs: Iterable[PairConflict]) -> None:
    """Print every pair of a task, and where it conflicts."""
    click.echo(f"\n{statistics.repo}/{statistics.task_id}")
    for pair in pairs:
        where = ", ".join(f"{conflict.path} ({conflict.kind})" for conflict in pair.conflicts)
        click.echo(f"  {pair.features[0]:>3} + {pair.features[1]:<3} {where or 'clean'}")


def _mark(good: bool) -> str:
    return "yes" if good else "NO"


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns that are as wide as their widest cell."""
    table = [titles, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    for row in table:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
