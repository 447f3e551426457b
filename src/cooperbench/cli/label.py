"""`cooperbench label`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cooperbench.cli.options import ModelOptions, json_option, load_environment_file, log_dir_option, model_options
from cooperbench.cli.output import console, counted, print_json
from cooperbench.errors import UsageError
from cooperbench.records.visible import one_line

if TYPE_CHECKING:
    from cooperbench.analysis.labels import CommunicationTotals, LabellerPair
    from cooperbench.records import Record
    from cooperbench.records.labels import Label
    from cooperbench.records.run_result import RunResult


@click.command("label")
@click.argument("name")
@click.option("--file", "source", type=click.Path(path_type=Path), help="Labels to add, one JSON object on each line.")
@click.option("--judge", metavar="MODEL", help="Model that labels the messages, as LiteLLM names it.")
@click.option(
    "--kind",
    type=click.Choice(["speech_act", "symptom"]),
    default="speech_act",
    show_default=True,
    help="Labels that the judge gives.",
)
@click.option("--labeller", help="Count only the speech acts of this labeller.")
@model_options
@log_dir_option
@json_option
def command(
    name: str,
    source: Path | None,
    judge: str | None,
    kind: str,
    labeller: str | None,
    served: ModelOptions,
    log_dir: Path | None,
    as_json: bool,
) -> None:
    """Add labels to the run NAME, or count those that it has.

    Labels lie beside the record, in labels.jsonl. Quotes have to stand in what is labelled, letter by letter.
    """
    from cooperbench.analysis.labels import check_labels, communication_totals, labeller_pairs
    from cooperbench.records import RunDirectory
    from cooperbench.records.labels import add_labels, read_label_file, read_labels
    from cooperbench.records.runs import read_run

    if judge is None and any(served):
        raise UsageError("--base-url, --api-key-env and --price-table need --judge")
    run = read_run(name, log_dir)
    new = read_label_file(source) if source is not None else ()
    check_labels(run, new)
    directory = RunDirectory(run.directory)
    if judge is not None:
        new = (*new, *_ask_judge(run, judge, kind, served))
    labels = add_labels(directory, new) if new else read_labels(directory)
    totals = communication_totals(run, labels, labeller)
    pairs = labeller_pairs(labels)
    if as_json:
        print_json({"labels": _facts(labels), "agreement": _facts(pairs), "messages": _facts(totals)})
    else:
        _print(labels, pairs, totals, added=len(new))


def _facts(records: "Sequence[Record]") -> list[dict[str, Any]]:
    return [record.model_dump(mode="json") for record in records]


def _ask_judge(run: "RunResult", model: str, kind: str, served: ModelOptions) -> "tuple[Label, ...]":
    load_environment_file()
    from cooperbench.analysis.labels import judge_episode
    from cooperbench.records.labels import LabelKind
    from cooperbench.runner.planning.evaluation_options import make_resolver

    options = served.resolver(model)
    if options is None:
        return ()
    complete = make_resolver(options).complete
    labels: list[Label] = []
    refused = 0
    for episode in run.episodes:
        judged = judge_episode(episode, LabelKind(kind), model, complete)
        labels += judged.labels
        refused += judged.refused
    if refused:
        click.echo(
            f"not taken: {counted(refused, 'answer')} without a known label or with a quote that does not stand there",
            err=True,
        )
    return tuple(labels)


def _print(
    labels: "Sequence[Label]", pairs: "Sequence[LabellerPair]", totals: "Sequence[CommunicationTotals]", *, added: int
) -> None:
    from rich.table import Table

    out = console()
    out.print(f"{counted(len(labels), 'label')}" + (f", {added} added" if added else ""), markup=False)
    for (kind, labeller, label), count in sorted(
        Counter((each.kind, each.labeller, each.label) for each in labels).items()
    ):
        out.print(one_line(f"  {count:4} {kind.value} {label} by {labeller}"), highlight=False)
    for pair in pairs:
        interval = f" [{pair.low:.2f}, {pair.high:.2f}]" if pair.low is not None else ""
        value = "undefined" if pair.kappa is None else f"{pair.kappa:.2f}{interval}"
        out.print(
            one_line(
                f"{pair.kind.value}: {pair.first} and {pair.second} agree on {pair.agreement:.0%} of {pair.n}, kappa {value}"
            ),
            highlight=False,
        )
    table = Table(box=None, pad_edge=False)
    heads = ("merge", "episodes", "silent", "messages", "per episode", "per step", "name a line", "name a file")
    for head in (*heads, "labelled", "plans:questions", "plan first"):
        table.add_column(head, justify="left" if head == "merge" else "right")
    for total in totals:
        table.add_row(
            total.subset,
            *map(str, (total.episodes, total.silent, total.messages)),
            *map(_number, (total.messages_per_episode, total.overhead, total.line_mentions, total.path_mentions)),
            str(total.labelled),
            f"{total.plans}:{total.questions}",
            _number(total.first_message_plans),
        )
    out.print(table)
    if totals and totals[0].labelled:
        out.print(one_line(f"speech acts: {totals[0].labeller} (--labeller names another)"))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
