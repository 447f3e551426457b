"""Judge a team's work without one of its members: what `difference` compares with in teams of three or more.

Of a pair, the stages of its evaluation have that already. Here the others' submissions are merged and tested once more for each member
that submitted something, without suites on single members' work and without broken tests: nothing here is a verdict.
"""

import shutil
from dataclasses import replace

from cooperbench.records import (
    EpisodeDirectory,
    EpisodeResult,
    Evaluation,
    Failure,
    RunConfig,
    write_bytes,
    write_model,
)
from cooperbench.records.readers import read_patch
from cooperbench.runner.engine.evaluations import evaluate_one
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.plan import Episode


def judge_without_each(
    episode: Episode,
    result: EpisodeResult,
    judged: Evaluation | Failure,
    config: RunConfig,
    options: SessionOptions,
    services: Services,
) -> dict[str, Evaluation | Failure]:
    """Return the evaluation of the others' work for each member of a team of three or more, one after the other.

    Each lies as `without_<agent_id>.json` beside the verdict. Without a member that submitted nothing, the work is the team's.
    """
    if len(result.agents) < 3:
        return {}
    plain = options.evaluation.model_copy(update={"singles": "none", "falsify": "off"})
    options, config = replace(options, evaluation=plain), config.model_copy(update={"falsify": "off"})
    found = {
        agent_id: _judge_without(agent_id, episode, result, config, options, services)
        if member.submission is not None and member.submission.bytes
        else judged
        for agent_id, member in result.agents.items()
    }
    shutil.rmtree(episode.directory.evaluation_work, ignore_errors=True)
    return found


def _judge_without(
    agent_id: str,
    episode: Episode,
    result: EpisodeResult,
    config: RunConfig,
    options: SessionOptions,
    services: Services,
) -> Evaluation | Failure:
    others = {name: member for name, member in result.agents.items() if name != agent_id}
    place = EpisodeDirectory(episode.directory.evaluation_work / f"without_{agent_id}")
    for member in others.values():
        if member.submission is not None and member.submission.file:
            write_bytes(place.path / member.submission.file, read_patch(episode.directory, member.submission))
    write_model(place.result, result.model_copy(update={"agents": others}))
    found = evaluate_one(replace(episode, directory=place), config, options, services)
    if isinstance(found, Evaluation):
        write_model(episode.directory.path / f"{place.path.name}.json", found)
    return found
