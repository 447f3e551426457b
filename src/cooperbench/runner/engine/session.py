"""Choices for one session of work on a run, which do not change what the run is, and the services that it starts."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from cooperbench.agents.registry import get_runner, offers
from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.collaboration.git_server import GitServer
from cooperbench.collaboration.git_service import GitEvent
from cooperbench.collaboration.presence import note_push
from cooperbench.errors import CooperBenchError, MailboxUnavailableError, UsageError
from cooperbench.records import Member, RunConfig, RunDirectory
from cooperbench.records.owned_temp_dir import scratch_directory
from cooperbench.records.run_owner import run_owner
from cooperbench.runner.engine.claims import ClaimOptions
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.evaluation_options import EvaluationOptions
from cooperbench.runner.planning.request import DEFAULT_AGENT
from cooperbench.runner.workers.pool import WorkerPool
from cooperbench.runner.workers.slots import make_slots


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """Choices for one call of `run` or `eval`."""

    concurrency: int = 20
    eval_concurrency: int = 10
    retries: int = 2
    """Retries of an episode or an evaluation after a transient failure."""
    retry_wait: float = 5.0
    """Seconds before the first retry; doubled each time."""
    auto_eval: bool = True
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    force: bool = False
    claims: ClaimOptions | None = None
    """Set when other processes work on the run, too."""
    redis_url: str | None = None
    agent_memory_mb: int = 4096
    overtime: float = 60.0
    """Seconds that an agent at a limit has to end by itself."""

    def fitting(self, team: Iterable[Member]) -> Self:
        """Return the options as these members allow them: a person works on one episode at a time."""
        alone = any(offers(member.agent, "one_at_a_time") for member in team)
        return replace(self, concurrency=1) if alone else self

    def check(self) -> None:
        """Raise `UsageError` for numbers out of range."""
        for name in ("concurrency", "eval_concurrency"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', ' ')} must be at least 1", subject=name)
        if self.claims is not None:
            self.claims.check()
            if self.force:
                raise UsageError(
                    "--force discards what others work on",
                    subject="force",
                    hint="leave out --claim or --force, or remove the run first: cooperbench runs rm",
                )


@contextmanager
def open_services(
    config: RunConfig, directory: RunDirectory, options: SessionOptions, claimant: str = ""
) -> Iterator[Services]:
    """Start the services that the run's episodes share, and end them with the block.

    Sandboxes and costs are the run's, or those of the `claimant` with this token. Raises `UsageError` when the Redis at `redis_url` does not answer.
    """
    together = not config.setting.alone
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_directory())
        pool = stack.enter_context(closing(WorkerPool(preload(config), scratch, config.backend, options.redis_url)))
        pool.prepare()  # imports for a second, or with LiteLLM several, while the rest starts
        broker = None
        if together and (config.messaging or config.task_board):
            try:
                broker = stack.enter_context(open_broker(options.redis_url))
            except MailboxUnavailableError as error:
                raise UsageError(error.message, subject=error.subject, hint=error.hint) from error
        git = None
        if together and config.git:
            root = scratch / "git"
            root.mkdir()
            git = stack.enter_context(GitServer(root, on_event=partial(_show_push, broker) if broker else None))
        slots = make_slots(scratch / "slots", options.eval_concurrency)
        yield Services(
            pool=pool,
            broker=broker,
            git=git,
            owner=run_owner(directory, claimant),
            ledger=directory.ledger_of(claimant) if claimant else directory.ledger,
            slots=slots,
            memory_mb=options.agent_memory_mb,
            overtime=options.overtime,
        )


def _show_push(broker: Broker, event: GitEvent) -> None:
    """Show a push to teammates at once."""
    if event.summary:
        with suppress(CooperBenchError):  # the push is recorded all the same
            note_push(broker.episode_url(event.episode), event.agent_id, event.summary)


# Every worker would import these sooner or later. redis alone takes 0.3 s and 20 MB, which are shared when it is imported before.
_COMMON = ("redis", "cooperbench.collaboration.mailbox", "cooperbench.tasks", "ctypes", "encodings.idna")


def preload(config: RunConfig) -> tuple[str, ...]:
    """Choose the modules that the fork server imports: the common ones, the built-in agent, LiteLLM (4 to 8 s).

    Agents of other kinds may name theirs (`preload`). No module of a user's own: one that starts threads must not be forked.
    """
    names = [*_COMMON]
    built_in = [member for member in config.team if member.agent == DEFAULT_AGENT]
    if built_in:
        names.append("cooperbench.agents.mini_swe_agent.adapter")
    if any(_calls_litellm(member) for member in built_in):
        names.append("litellm")
    for member in config.team:
        names += [name for name in _named_by_agent(member) if name not in names]
    if "litellm" in names:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or its import asks the network for prices
    return tuple(names)


def _named_by_agent(member: Member) -> tuple[str, ...]:
    """Return the modules that an agent's `preload` names; none where it cannot be made: its worker says why."""
    if member.agent == DEFAULT_AGENT:
        return ()
    try:
        choose = getattr(get_runner(member.agent, member.config), "preload", None)
        return tuple(choose(member.model, member.config)) if callable(choose) else ()
    except CooperBenchError:
        return ()


def _calls_litellm(member: Member) -> bool:
    model = member.config.get("model")
    elsewhere = isinstance(model, dict) and model.get("base_url")
    return not member.model.startswith(("scripted/", "replay/")) and not elsewhere
