"""Say the cause of a failure in one sentence."""

from collections.abc import Iterable, Sequence

from cooperbench.analysis.explanation.models import Cause, ContestedPlace, ContestedSymbol, FeatureCause
from cooperbench.records import EpisodeResult, Verdict


def describe(
    cause: Cause | None,
    verdict: Verdict,
    result: EpisodeResult,
    features: Sequence[FeatureCause],
    places: Sequence[ContestedPlace],
    symbols: Sequence[ContestedSymbol],
) -> str:
    """Return one line, such as `agent1 and agent2 changed the same lines of cli.py; no message names the file`."""
    concerned = [each for each in features if each.cause is cause]
    match cause:
        case None:
            return "all features pass"
        case Cause.CONFLICT:
            return _conflict(places, result)
        case Cause.BREAK:
            return _break(concerned, symbols)
        case Cause.COULD_NOT | Cause.LIMIT:
            return "; ".join(_unable(each, result) for each in concerned)
        case Cause.NOTHING_HANDED_IN:
            return "; ".join(dict.fromkeys(_nothing(each) for each in concerned))
        case Cause.UNDETERMINED:
            tests = _tests(concerned)
            return f"{tests}; the members' work was not tested alone (cooperbench eval --singles own)"
        case Cause.INFRASTRUCTURE:
            return "; ".join(dict.fromkeys(each.said for each in concerned if each.said)) or "the evaluation failed"


def _conflict(places: Sequence[ContestedPlace], result: EpisodeResult) -> str:
    contested = [place for place in places if place.conflict]
    members = _join(dict.fromkeys(side.agent_id for place in contested for side in place.sides))
    files = _join(place.path for place in contested)
    verb = "changed the same lines of" if all(place.kind == "content" for place in contested) else "disagree about"
    silent = [place for place in contested if not place.mentions]
    if result.messages == 0:
        said = "nobody sent a message"
    elif len(silent) == len(contested):
        said = "no message names " + ("the file" if len(contested) == 1 else "any of these files")
    else:
        said = "messages name " + _join(place.path for place in contested if place.mentions)
    return f"{members or 'the members'} {verb} {files or 'a file'}; {said}"


def _break(concerned: Sequence[FeatureCause], symbols: Sequence[ContestedSymbol]) -> str:
    line = f"each feature passes alone and the merge is clean, but {_tests(concerned)}"
    owners = {each.agent_id for each in concerned}
    suspects = sorted(symbols, key=lambda symbol: symbol.used_by not in owners)
    if not suspects:
        return line
    suspect = suspects[0]
    return f"{line}; suspect: {suspect.changed_by} changed {suspect.name}(), which {suspect.used_by} newly uses"


def _tests(concerned: Sequence[FeatureCause]) -> str:
    return "; ".join(f"feature {each.feature}: {each.said or each.outcome.value}" for each in concerned)


def _unable(each: FeatureCause, result: EpisodeResult) -> str:
    member = result.agents.get(each.agent_id or "")
    who = each.agent_id or "its member"
    where = "alone" if each.alone is not None and len(result.agents) > 1 else ""
    line = f"feature {each.feature} of {who} does not pass {where}".rstrip()
    if each.cause is Cause.LIMIT and member is not None:
        limit = f"{member.limit.kind} limit" if member.limit else member.ending.value
        line += f"; {who} reached its {limit} after {member.steps} steps"
    return f"{line}: {each.said}" if each.said and "conflict" not in each.said else line


def _nothing(each: FeatureCause) -> str:
    who = each.agent_id or "the member"
    return f"{who} handed in nothing that applies: {each.said}" if each.said else f"{who} handed in nothing"


def _join(words: Iterable[str]) -> str:
    *rest, last = list(words) or [""]
    return f"{', '.join(rest)} and {last}" if rest else last
