"""Connect a sandbox with the harness, so that the agent in it can work with its teammates."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

from cooperbench.collaboration.board import board_service
from cooperbench.collaboration.bridge import CoopBridge
from cooperbench.collaboration.git_commands import git_service
from cooperbench.collaboration.git_setup import set_up_git
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message_commands import message_service
from cooperbench.collaboration.rpc import Service
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.environments import Environment
from cooperbench.environments.bases import base_of_sandbox
from cooperbench.environments.wrapped import environment_of

_lock = threading.Lock()
# By sandbox, not by object: a second bridge would take the calls of the first. A bridge lives as long as its thread.
_bridges: "WeakValueDictionary[tuple[str, str], CoopBridge]" = WeakValueDictionary()


class Executes(Protocol):
    """An object that runs commands in a sandbox."""

    @property
    def execute(self) -> Callable[..., Any]:
        """The method that runs a command, its first argument."""
        ...


class GitConnector:
    """Connect one agent's sandbox to the shared git repository of its episode.

    `agents` are the names of all members, the agent's own included; `server_url` is the URL that `GitServer` handed out for
    this agent. It stays in the harness: nothing of it is put into the sandbox.
    """

    def __init__(self, *, agent_id: str, agents: Sequence[str], server_url: str) -> None:
        self._access = TeamAccess(agent_id=agent_id, agents=tuple(agents), git_server_url=server_url)
        self._server_url = server_url

    def setup(self, env: Executes) -> None:
        """Make plain git work in `env`, also with networking off, and fetch once. Repeating it changes nothing.

        `env` is an environment, or any object whose `execute` runs commands in one. Raises `AgentError` at once for another
        object, `RemoteError` when git does not work, and the classes below `SandboxError`.
        """
        sandbox = environment_of(env)
        connect(sandbox, self._access)
        set_up_git(sandbox, self._access.agent_id, self._server_url)


def connect(env: Environment, access: TeamAccess, *, history_stripped: bool = False) -> CoopBridge:
    """Put `coop` into a sandbox and serve it for the member that works there, until the bridge is closed.

    With a shared git repository, plain git works afterwards; `history_stripped` says that nothing after the base commit is left
    in the sandbox, else it is removed. A second call for the same sandbox returns the bridge that is there. In the first
    sandbox of its kind one round trip is made from inside. Raises `SandboxError`, `MailboxError` or `RemoteError` when the
    sandbox cannot take part.
    """
    with _lock:
        sandbox = (env.backend, env.handle().identifier)
        bridge = _bridges.get(sandbox)
        if bridge is None or bridge.closed:
            bridge = CoopBridge(env, _services(env, access))
            try:
                _check(bridge, env)
                if access.git_server_url is not None:
                    set_up_git(env, access.agent_id, access.git_server_url, history_stripped=history_stripped)
            except BaseException:
                bridge.close()
                raise
            _bridges[sandbox] = bridge
        else:
            bridge.show_programs(env)
        return bridge


def _check(bridge: CoopBridge, env: Environment) -> None:
    """Make a round trip, unless one was made in a sandbox like this: it takes 15 programs, and a run has hundreds of sandboxes."""
    base = base_of_sandbox(env)
    if base is not None and base.was_seen(bridge.kind):
        return
    bridge.check()
    if base is not None:
        base.note(bridge.kind)


def _services(env: Environment, access: TeamAccess) -> list[Service]:
    services = []
    if access.comm_url is not None:
        mailbox = MessagingConnector(access.agent_id, access.agents, access.comm_url)
        services.append(message_service(mailbox, env.options.command_timeout))
    if access.git_server_url is not None:
        services.append(git_service(access.agent_id, access.git_server_url))
    if access.board_url is not None:
        services.append(board_service(access.agent_id, access.board_url))
    return services
