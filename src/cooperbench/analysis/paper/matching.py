"""Solo and coop runs of the same model, on the groups that both have."""

from collections.abc import Sequence
from dataclasses import dataclass

from cooperbench.analysis.pairing import Pairing, check_comparable, pair_runs
from cooperbench.analysis.samples import Provenance, RunSample
from cooperbench.records import Setting


@dataclass(frozen=True)
class MatchedModel:
    """A model with its solo run, a coop or team run, and the groups of both."""

    label: str
    """The model; with the run's name where a model has several coop runs."""
    model: str
    pairing: Pairing


def match_models(samples: Sequence[RunSample]) -> tuple[MatchedModel, ...]:
    """Pair each coop or team run with the first solo run of its model. Raises `UsageError` where they are not comparable."""
    solo: dict[str, RunSample] = {}
    for sample in samples:
        if sample.provenance.setting == "solo":
            solo.setdefault(sample.model, sample)
    several = [sample for sample in samples if not Setting(sample.provenance.setting).alone and sample.model in solo]
    made = []
    for sample in several:
        first = solo[sample.model]
        check_comparable(first, sample)
        alone = sum(other.model == sample.model for other in several) == 1
        pairing = pair_runs(first, sample)
        if pairing.groups:
            made.append(
                MatchedModel(sample.model if alone else f"{sample.model} ({sample.name})", sample.model, pairing)
            )
    return tuple(made)


def provenance_of(matched: Sequence[MatchedModel]) -> tuple[Provenance, ...]:
    """Return the provenance of all runs behind matched models, each once."""
    runs = [sample for each in matched for sample in (each.pairing.first, each.pairing.second)]
    return tuple({sample.name: sample.provenance for sample in runs}.values())
