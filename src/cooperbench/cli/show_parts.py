"""Print the parts of one episode that were asked for: steps, patches, tests."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from cooperbench.cli.output import console
from cooperbench.cli.show_diff import diff_lines
from cooperbench.cli.show_steps import message_lines, step_lines
from cooperbench.cli.show_tests import failing_tests, suite_lines
from cooperbench.errors import UnknownNameError
from cooperbench.records import MemberResult, Outcome, Stage
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.run_result import RunResult
from cooperbench.records.secrets import without_secrets
from cooperbench.records.visible import one_line
from cooperbench.viewer import EpisodeParts, read_episode


class ShownParts(NamedTuple):
    """What was asked for with `--agent`, `--text`, `--errors-only`, `--diff` and `--tests`."""

    agent: str | None = None
    text: bool = False
    errors_only: bool = False
    diff: bool = False
    tests: bool = False

    @property
    def steps(self) -> bool:
        """True if steps are shown: where no other part was named."""
        return not (self.diff or self.tests)


def show_parts(run: RunResult, name: str, parts: ShownParts, *, as_json: bool) -> None:
    """Print parts of an episode. Raises `UnknownNameError` for a member that it does not have."""
    episode = run.episode(name)
    found = read_episode(run, episode)
    members = [lane.agent_id for lane in found.page.lanes]
    if parts.agent is not None and parts.agent not in members:
        raise UnknownNameError("member", parts.agent, members)
    agents = members if parts.agent is None else [parts.agent]
    if as_json:
        print(without_secrets(json.dumps(_facts(episode, found, agents, parts), indent=2)))
        return
    out = console()
    for line in _lines(episode, found, agents, parts):
        out.print(without_secrets(line), soft_wrap=True, markup=False, highlight=False)


def _lines(episode: EpisodeView, found: EpisodeParts, agents: list[str], parts: ShownParts) -> Iterator[str]:
    page, text, errors_only = found.page, parts.text, parts.errors_only
    yield one_line(f"{page.episode}: {page.verdict.title}: {page.verdict.reason}")
    if parts.steps:
        yield from step_lines(page, found.chunks, agents, text=text, errors_only=errors_only)
        yield from message_lines(page, agents, text=text, errors_only=errors_only)
    if parts.diff:
        yield from diff_lines(episode, _members(episode, agents))
    if parts.tests or (errors_only and parts.steps and parts.agent is None):
        yield from suite_lines(episode, text=text, errors_only=errors_only)
    yield f"record: {episode.directory}"


def _members(episode: EpisodeView, agents: list[str]) -> list[MemberResult]:
    results = episode.result.agents if episode.result is not None else {}
    return [results[agent] for agent in agents if agent in results]


def _facts(episode: EpisodeView, found: EpisodeParts, agents: list[str], parts: ShownParts) -> dict[str, Any]:
    page = found.page
    facts: dict[str, Any] = {
        **{name: getattr(page, name) for name in ("run", "episode", "policy", "state")},
        "verdict": page.verdict.model_dump(mode="json"),
        "directory": str(episode.directory),
    }
    if parts.steps:
        facts["members"] = [_member_facts(found, agent, parts) for agent in agents]
        facts["messages"] = [
            each.model_dump(mode="json")
            for each in page.messages
            if (each.sender in agents or each.to in agents)
            and (not parts.errors_only or each.refused or each.read is None)
        ]
    if parts.diff:
        facts["patches"] = {each.agent_id: episode.patch(each.agent_id) for each in _members(episode, agents)}
    if parts.tests:
        stages = episode.evaluation.stages if episode.evaluation is not None else ()
        facts["stages"] = [_stage_facts(stage, parts) for stage in stages]
    return facts


def _member_facts(found: EpisodeParts, agent: str, parts: ShownParts) -> dict[str, Any]:
    lane = next(lane for lane in found.page.lanes if lane.agent_id == agent)
    details = [step for chunk in found.chunks if chunk.agent_id == agent for step in chunk.steps]
    steps = [
        {**step.model_dump(mode="json"), **said.model_dump(mode="json", exclude={"raw"})}
        for step, said in zip(lane.steps, details, strict=False)
        if step.failed or not parts.errors_only
    ]
    return {**lane.model_dump(mode="json", exclude={"steps", "chunks"}), "steps": steps}


def _stage_facts(stage: Stage, parts: ShownParts) -> dict[str, Any]:
    suites = [suite for suite in stage.suites if not parts.errors_only or suite.outcome is not Outcome.PASSED]
    return {
        **stage.model_dump(mode="json", exclude={"suites"}),
        "suites": [
            {
                **suite.model_dump(mode="json", exclude=None if parts.text else {"tests"}),
                "failing": [test.model_dump(mode="json") for test in failing_tests(suite)],
            }
            for suite in suites
        ],
    }
