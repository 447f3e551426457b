"""Explanations as flat rows, for CSV and data frames."""

from collections.abc import Iterable

from cooperbench.analysis.explanation.models import Explanation


def explanation_rows(explanations: Iterable[Explanation]) -> list[dict[str, str]]:
    """Return a row for each episode. Lists within a cell are joined by `; `."""
    return [
        {
            "run": each.run,
            "episode": each.episode,
            "policy": each.policy,
            "outcome": each.outcome,
            "cause": each.cause or "",
            "also": "; ".join(each.also),
            "sentence": each.sentence,
            "failed_features": "; ".join(str(feature.feature) for feature in each.features),
            "failing_tests": "; ".join(test for feature in each.features for test in feature.failing),
            "conflicts": "; ".join(place.path for place in each.places if place.conflict),
            "overlaps": "; ".join(place.path for place in each.places if not place.conflict),
            "unmentioned": "; ".join(place.path for place in each.places if not place.mentions),
            "suspects": "; ".join(f"{symbol.changed_by} changed {symbol.name}" for symbol in each.symbols),
        }
        for each in explanations
    ]
