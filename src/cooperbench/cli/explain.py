"""`cooperbench explain`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cooperbench.cli.options import dataset_option, json_option, log_dir_option, policy_option
from cooperbench.cli.output import console, counted, print_json
from cooperbench.records.visible import one_line, quoted

if TYPE_CHECKING:
    from cooperbench.analysis.explanation import ContestedPlace, Explanation, Mention
    from cooperbench.records.episode_state import EpisodeView
    from cooperbench.records.run_result import RunResult
    from cooperbench.runner.counterfactuals import Counterfactuals


@click.command("explain")
@click.argument("name")
@click.argument("episode", required=False)
@click.option("--bisect", is_flag=True, help="Find the hunks whose removal makes the tests pass. Runs tests.")
@click.option("--gold", is_flag=True, help="Test each member's work with gold patches for the others. Runs tests.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@policy_option
@dataset_option
@log_dir_option
@json_option
def command(
    name: str,
    episode: str | None,
    bisect: bool,
    gold: bool,
    policy: str | None,
    dataset_dir: Path | None,
    log_dir: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Say why each group of the run NAME failed, or one EPISODE of it, with the evidence.

    A group could not do it, hit a textual conflict, a semantic break or a limit, handed in nothing, or was kept from a verdict by
    the infrastructure.
    """
    from cooperbench.analysis.explanation import explain_episode, explanation_rows
    from cooperbench.records.runs import read_run

    run = read_run(name, log_dir, policy=policy)
    episodes = [run.episode(episode)] if episode is not None else list(run.episodes)
    explanations = [explain_episode(run, each) for each in episodes]
    tested = _run_tests(run, episodes, dataset_dir, bisect=bisect, gold=gold) if bisect or gold else {}
    if as_csv:
        _print_csv(explanation_rows(explanations))
    elif as_json:
        print_json([_facts(each, tested.get(each.episode)) for each in explanations])
    elif episode is not None:
        for line in _episode_lines(explanations[0], tested.get(explanations[0].episode)):
            console().print(line, soft_wrap=True, markup=False, highlight=False)
    else:
        _print_run(run.policy, explanations, tested)


def _run_tests(
    run: "RunResult", episodes: "Sequence[EpisodeView]", dataset_dir: Path | None, *, bisect: bool, gold: bool
) -> "dict[str, Counterfactuals]":
    from cooperbench.runner.counterfactuals import run_counterfactuals

    def progress(name: str) -> None:
        click.echo(f"testing {name}", err=True)

    found = run_counterfactuals(run, episodes, dataset_dir, bisect=bisect, gold=gold, progress=progress)
    return {each.episode: each for each in found}


def _facts(explanation: "Explanation", tested: "Counterfactuals | None") -> dict[str, Any]:
    return {
        **explanation.model_dump(mode="json"),
        "tested": tested.model_dump(mode="json") if tested is not None else None,
    }


def _print_csv(rows: Sequence[dict[str, str]]) -> None:
    import csv
    import sys

    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _print_run(policy: str, explanations: "Sequence[Explanation]", tested: "dict[str, Counterfactuals]") -> None:
    from rich.table import Table

    out = console()
    failed = [each for each in explanations if each.cause is not None]
    passed = sum(each.outcome == "passed" for each in explanations)
    other = len(explanations) - len(failed) - passed
    rest = f", {other} without a verdict" if other else ""
    out.print(
        f"{counted(len(explanations), 'episode')} under {policy}: {passed} passed, {len(failed)} failed{rest}",
        markup=False,
    )
    for cause, count in Counter(each.cause for each in failed).most_common():
        out.print(f"  {count:4} {cause}", markup=False, highlight=False)
    if not failed:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("episode", "cause", "why"):
        table.add_column(column, overflow="fold", no_wrap=column != "why")
    for each in failed:
        table.add_row(each.episode, str(each.cause), one_line(each.sentence))
    out.print(table)
    for each in failed:
        for line in _tested_lines(tested.get(each.episode)):
            out.print(f"{each.episode}: {line.strip()}", soft_wrap=True, markup=False)
    out.print(f"next: cooperbench explain {failed[0].run} {failed[0].episode}", markup=False, soft_wrap=True)


def _episode_lines(found: "Explanation", tested: "Counterfactuals | None") -> Iterator[str]:
    cause = f"{found.cause}: " if found.cause else ""
    yield one_line(f"{cause}{found.sentence}")
    yield f"{found.episode}: {found.outcome} under {found.policy}"
    if found.also:
        yield f"also: {', '.join(found.also)}"
    for each in found.features:
        alone = f"{each.alone.value} alone" if each.alone else "not tested alone"
        union = f", {each.union.value} in the union" if each.union else ""
        owner = f" of {each.agent_id}" if each.agent_id else ""
        yield one_line(f"feature {each.feature}{owner}: {each.outcome.value} ({alone}{union}): {each.cause}")
        for test in each.failing[:5]:
            yield one_line(f"  fails: {test}")
        if len(each.failing) > 5:
            yield f"  and {len(each.failing) - 5} more"
    for place in found.places:
        yield from _place_lines(place)
    for symbol in found.symbols:
        yield one_line(
            f"suspect, found by name: {symbol.changed_by} changed {symbol.name} ({symbol.path}), "
            f"which {symbol.used_by} newly uses in {symbol.used_in}"
        )
        yield from _mention_lines(symbol.mentions, symbol.name)
    yield from _tested_lines(tested)
    for each_gap in found.unclear:
        yield f"unknown: {each_gap}"


def _place_lines(place: "ContestedPlace") -> Iterator[str]:
    kind = f"conflict ({place.kind})" if place.conflict else "overlap"
    yield one_line(f"{kind} in {place.path}")
    for side in place.sides:
        lines = f"lines {side.first} to {side.last}" if side.last >= side.first else f"before line {side.first}"
        when = f", first at {side.written_at:%H:%M:%S}" if side.written_at else ""
        yield one_line(f"  {side.agent_id}, {lines}{when}:")
        for line in side.added[:8]:
            yield f"    + {one_line(line)}"
        if len(side.added) > 8:
            yield f"    and {len(side.added) - 8} more"
    yield from _mention_lines(place.mentions, place.path)


def _mention_lines(mentions: "Sequence[Mention]", name: str) -> Iterator[str]:
    if not mentions:
        yield one_line(f"  no message names {name}")
    for mention in mentions:
        unread = "" if mention.read else " (not read)"
        yield one_line(f"  {mention.time:%H:%M:%S} {mention.sender} to {mention.to}{unread}: {mention.excerpt}")


def _tested_lines(tested: "Counterfactuals | None") -> Iterator[str]:
    for each in tested.bisections if tested else ():
        if each.note:
            yield f"bisection of feature {each.feature} ({each.stage}): {each.note}"
            continue
        limit = "" if each.complete else "; the search ended at its limit"
        yield (
            f"feature {each.feature} passes without {counted(len(each.hunks), 'hunk')} of {each.candidates} "
            f"({each.stage}, {counted(each.suites, 'test run')}{limit}):"
        )
        for hunk in each.hunks:
            yield one_line(f"  {hunk.path} by {', '.join(hunk.authors) or 'the merge'}")
            body = hunk.patch[hunk.patch.find("@@") :]
            yield quoted(body, "    ").rstrip("\n")
    for half in tested.substitutions if tested else ():
        failed = f": feature {', '.join(map(str, half.failed))} fails" if half.failed else ""
        yield f"with gold patches in place of its teammates, the work of {half.agent_id} is {half.outcome.value}{failed}"
