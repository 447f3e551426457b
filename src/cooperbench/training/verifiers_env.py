"""Teams as an environment of `verifiers`: an agent for each member, a trace for each, and rewards by name.

A member's harness starts no program. It brings its endpoint, at which verifiers records every model call, to the meeting of its
episode. Once all members are there one rollout begins, and each harness waits for its end.
"""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Literal

from pydantic import Field, model_validator

from cooperbench.errors import MissingExtraError
from cooperbench.records import Limits, Setting
from cooperbench.runner.planning.evaluation_options import EvaluationOptions
from cooperbench.tasks.dataset import find_task
from cooperbench.training.endpoint import Endpoint, member_ids
from cooperbench.training.meeting import Meeting
from cooperbench.training.rewards import read_weights
from cooperbench.training.rollouts import rollout_async
from cooperbench.training.team_rollout import TeamRollout
from cooperbench.training.verifiers_tasks import CoopTask

try:
    import verifiers.v1 as vf
except ImportError as error:
    raise MissingExtraError("an environment of verifiers", "verifiers") from error

_meeting: ContextVar[Meeting] = ContextVar("meeting")


class MemberHarness(vf.Harness[vf.HarnessConfig]):  # type: ignore[misc, unused-ignore]
    """Lets one member work in CooperBench's own sandbox, with its model calls going through verifiers."""

    NEEDS_CONTAINER = False
    EXECUTES_CODE = False  # not in the runtime that verifiers provides

    async def launch(
        self, ctx: Any, trace: Any, runtime: Any, endpoint: str, secret: str, mcp_urls: dict[str, str], data: Any
    ) -> Any:
        """Wait for the team's result, and record this member's rewards. Raises `RuntimeError` where infrastructure failed."""
        # Whole answers: the client for training cannot stream.
        member = Endpoint(endpoint, secret, ctx.model, {"stream": False})
        meeting = _meeting.get()
        result = await meeting.attend(trace.agent.name, member)
        _record(trace, result, meeting.weights)
        return vf.ProgramResult(exit_code=0, stdout=result.outcome.value, stderr="")


def _record(trace: Any, result: TeamRollout, weights: Mapping[str, float]) -> None:
    if result.failed:
        failure = result.error
        raise RuntimeError(f"{failure.kind}: {failure.message}" if failure else "the evaluation failed")
    member = result.members[trace.agent.name]
    trace.info["cooperbench"] = result.model_dump(mode="json", include={"outcome", "policy", "record", "seconds"})
    trace.info["cooperbench"] |= {"ending": member.ending.value, "truncated": member.truncated}
    for part, value in member.parts.items():
        if part.value in weights and value is None:
            raise RuntimeError(f"the reward {part.value!r} of {member.agent_id} is not known")
        if part.value in weights:
            trace.record_reward(part.value, value, weights[part.value])
        elif value is not None:
            trace.record_metric(part.value, value)


class CoopEnvConfig(vf.EnvConfig):  # type: ignore[misc, unused-ignore]
    """Two members, each a role of its own. A subclass adds `agent3: vf.AgentConfig = ...` for larger teams."""

    agent1: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    agent2: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    max_concurrent_agents: int | None = None
    setting: Literal["coop", "team"] = "coop"
    git: bool = False
    messaging: bool = True
    rewards: dict[str, float] = Field(default_factory=lambda: {"all": 1.0})
    """The parts that count, with their weights; the others become metrics."""
    limits: Limits = Limits()
    backend: str | None = None
    evaluation: EvaluationOptions = EvaluationOptions(singles="all")
    log_dir: str | None = None

    @model_validator(mode="after")
    def _can_be_played(self) -> "CoopEnvConfig":
        read_weights(self.rewards)
        members = {name: value for name, value in self if isinstance(value, vf.AgentConfig)}
        bound = self.max_concurrent_agents
        if bound is not None and bound < len(members):
            raise ValueError(
                f"max_concurrent_agents={bound} is too few: the {len(members)} members of a team work at the same time, "
                "and those that run would wait for the others for ever; leave it out"
            )
        for name, member in members.items():
            if any(value is not None for key, value in member if key.startswith("max_")):
                raise ValueError(f"{name} has a limit that would cut off its model calls; use env.limits instead")
        return self


class CoopEnv(vf.Env[CoopEnvConfig]):  # type: ignore[misc, unused-ignore]
    """A team on a group of features: an agent for each member, all at work in one episode."""

    async def run(self, task: CoopTask, agents: Any) -> None:
        """Let all members run until the rollout has its verdict."""
        names = member_ids(Setting(self.config.setting), len(task.data.features))
        meeting = Meeting(len(names), self.config.rewards, lambda members: self._play(task, members))
        _meeting.set(meeting)  # the tasks below inherit it

        async def take_part(name: str) -> None:
            try:
                await getattr(agents, name).run(task)
            finally:
                meeting.leave(name)

        try:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(take_part(name))
        finally:
            await meeting.close()

    async def _play(self, task: CoopTask, members: dict[str, Endpoint]) -> TeamRollout:
        chosen = self.config
        return await rollout_async(
            find_task(task.data.task, task.data.dataset_dir),
            task.data.features,
            members,
            setting=chosen.setting,
            git=chosen.git,
            messaging=chosen.messaging,
            rewards=chosen.rewards,
            limits=chosen.limits,
            backend=chosen.backend,
            evaluation=chosen.evaluation,
            log_dir=chosen.log_dir,
        )
