"""The chores of an adapter: open the sandbox, join the team, capture the patch, clean up.

    with AgentSession(image, **kwargs) as session:
        session.env.execute("...")
        return session.result("Submitted", steps=1)

An adapter may also do all of this itself, as the published examples do. Inside a run the harness captures the patch from the
sandbox; outside a run the session captures it in the same way.
"""

import secrets
import tempfile
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cooperbench.agents.result import AgentResult
from cooperbench.environments import Environment, EnvironmentOptions, LoopbackService, open_environment
from cooperbench.environments.scope import current_scope
from cooperbench.environments.worktree import capture, pin_base
from cooperbench.errors import UsageError
from cooperbench.records import Usage

if TYPE_CHECKING:
    from cooperbench.collaboration.mailbox import MessagingConnector
    from cooperbench.gateway import ModelGateway

DEFAULT_BACKEND = "docker"


class AgentSession:
    """A member's sandbox and its connection to the team. Takes the arguments of `AgentRunner.run`; only `image` is required.

    `env` is the sandbox, and `mailbox` the connection to teammates, `None` when there are none to write to. The backend is the
    one of the run, else `config["backend"]`, else Docker. `options` configure the sandbox.
    `model_name` is for `gateway`.
    """

    env: Environment
    mailbox: "MessagingConnector | None" = None

    def __init__(
        self,
        image: str,
        *,
        agent_id: str = "agent",
        agents: list[str] | None = None,
        comm_url: str | None = None,
        messaging_enabled: bool = True,
        git_server_url: str | None = None,
        git_enabled: bool = False,
        config: dict[str, Any] | None = None,
        options: EnvironmentOptions | None = None,
        model_name: str | None = None,
        log_dir: str | None = None,
        **others: Any,
    ) -> None:
        self.image = image
        self.agent_id = agent_id
        self.agents = agents or [agent_id]
        self.config = config or {}
        self._comm_url = comm_url if messaging_enabled and len(self.agents) > 1 else None
        self._git_url = git_server_url if git_enabled else None
        self._options = options
        self._model_name = model_name
        self._log_dir = log_dir
        self._gateway: ModelGateway | None = None
        self._services: list[LoopbackService] = []
        self._store: tempfile.TemporaryDirectory[str] | None = None
        self._base = ""

    def __enter__(self) -> Self:
        backend = self.config.get("backend", DEFAULT_BACKEND)
        if not isinstance(backend, str):
            raise UsageError("`backend` in the agent's configuration must be a name, such as docker")
        self.env = open_environment(backend, self.image, options=self._options)
        try:
            if current_scope() is None:
                self._store = tempfile.TemporaryDirectory(prefix="cooperbench-session-")
                self._base = pin_base(self.env, self._repository())
            if self._git_url is not None:
                self._set_up_git(self._git_url)
            if self._comm_url is not None:
                from cooperbench.collaboration.mailbox import MessagingConnector  # 0.26 s, most of it Redis's client

                self.mailbox = MessagingConnector(agent_id=self.agent_id, agents=self.agents, url=self._comm_url)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _set_up_git(self, url: str) -> None:
        """Make `git push origin` and the like work in the sandbox. Inside a run that is done already; repeating it is harmless."""
        from cooperbench.collaboration.connect import GitConnector

        GitConnector(agent_id=self.agent_id, agents=self.agents, server_url=url).setup(self.env)

    @property
    def gateway(self) -> "ModelGateway":
        """The gateway to the member's model, for programs that ask it by themselves. Raises `UsageError` without a `model_name`."""
        if self._gateway is None:
            from cooperbench.gateway import open_gateway  # brings HTTP and the dialects with it

            if self._model_name is None:
                raise UsageError("the session has no model", hint="AgentSession(image, model_name=model_name, ...)")
            log_dir = None if self._log_dir is None else Path(self._log_dir)
            self._gateway = open_gateway(self._model_name, self.config, log_dir=log_dir, agent_id=self.agent_id)
        return self._gateway

    def serve_gateway(self) -> str:
        """Serve the gateway at a free port of the sandbox's loopback, and return its address there: `http://127.0.0.1:PORT/TOKEN`.

        Without the token it answers nobody: with the whole network, sandboxes of one host share its loopback. Works without a network,
        until the session ends. Raises what `gateway` and `Environment.serve` raise.
        """
        token = secrets.token_urlsafe(24)
        service = self.env.serve(partial(self.gateway.handle, token=token))
        self._services.append(service)
        return f"{service.address}/{token}"

    def patch(self) -> str:
        """Return the changes so far as a patch. It is empty inside a run, where the harness captures them."""
        if self._store is None:
            return ""
        return capture(self.env, self._repository(), self._base).patch.decode("utf-8", "surrogateescape")

    def result(
        self,
        status: str,
        *,
        steps: int = 0,
        usage: Usage | None = None,
        messages: list[dict[str, Any]] | None = None,
        sent_messages: list[dict[str, Any]] | None = None,
        error: str | None = None,
    ) -> AgentResult:
        """Return a result with the patch in it. `usage` is that of the model calls; without it the cost is 0."""
        used = usage or Usage(cost=0.0)
        return AgentResult(
            status=status,
            patch=self.patch(),
            cost=used.cost,
            steps=steps,
            messages=messages or [],
            error=error,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cached_tokens=used.cached_tokens,
            sent_messages=sent_messages or [],
        )

    def _repository(self) -> Path:
        assert self._store is not None
        return Path(self._store.name) / "base.git"

    def _close(self) -> None:
        try:
            if self.mailbox is not None:
                self.mailbox.close()
        finally:
            for service in self._services:
                service.close()
            self.env.cleanup()
            if self._store is not None:
                self._store.cleanup()
