"""How well labellers agree, pair by pair."""

import itertools
from collections.abc import Sequence

from cooperbench.analysis.statistics import kappa
from cooperbench.records import Record
from cooperbench.records.labels import Label, LabelKind


class LabellerPair(Record):
    """Two labellers on what both of them labelled."""

    kind: LabelKind
    first: str
    second: str
    n: int
    """Messages that both labelled; of symptoms, episodes times symptoms that either of them named."""
    agreement: float
    kappa: float | None
    low: float | None
    high: float | None


def labeller_pairs(labels: Sequence[Label]) -> tuple[LabellerPair, ...]:
    """Compare each pair of labellers by Cohen's kappa. Pairs without anything in common are left out. Needs the extra `analysis`."""
    found = []
    for kind in (LabelKind.SPEECH_ACT, LabelKind.SYMPTOM):
        own = [label for label in labels if label.kind is kind]
        for first, second in itertools.combinations(sorted({label.labeller for label in own}), 2):
            answers = _answers(own, kind, first, second)
            if answers:
                found.append(_compare(kind, first, second, answers))
    return tuple(found)


def _answers(labels: Sequence[Label], kind: LabelKind, first: str, second: str) -> list[tuple[str, str]]:
    mine, others = ([label for label in labels if label.labeller == name] for name in (first, second))
    if kind is LabelKind.SPEECH_ACT:
        one, other = ({label.target: label.label for label in own} for own in (mine, others))
        return [(one[target], other[target]) for target in one if target in other]
    # Several symptoms can be true of an episode: each one is a question with yes or no for an answer.
    episodes = {label.episode for label in mine} & {label.episode for label in others}
    symptoms = {label.label for label in (*mine, *others)}
    said, answered = ({(label.episode, label.label) for label in own} for own in (mine, others))
    questions = itertools.product(sorted(episodes), sorted(symptoms))
    return [(str(each in said), str(each in answered)) for each in questions]


def _compare(kind: LabelKind, first: str, second: str, answers: Sequence[tuple[str, str]]) -> LabellerPair:
    names = sorted({answer for pair in answers for answer in pair})
    table = [[sum(pair == (row, column) for pair in answers) for column in names] for row in names]
    made = kappa(table)
    return LabellerPair(
        kind=kind,
        first=first,
        second=second,
        n=made.n,
        agreement=made.agreement,
        kappa=made.kappa,
        low=made.low,
        high=made.high,
    )
