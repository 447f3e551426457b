"""`GitConnector`, the published interface to the shared git repository of an episode.

After `setup`, plain git works in the sandbox, also with networking off; `git_setup` says what is done for that.
"""

from collections.abc import Sequence

from cooperbench.collaboration.git_setup import set_up_git
from cooperbench.collaboration.seat import Seat, connect
from cooperbench.environments import Environment


class GitConnector:
    """Connects one agent's sandbox to the shared repository.

    `agents` are the names of all members, the agent's own included; `server_url` is the URL that `GitServer` handed out for
    this agent. It stays in the harness: nothing of it is put into the sandbox.
    """

    def __init__(self, *, agent_id: str, agents: Sequence[str], server_url: str) -> None:
        self._seat = Seat(agent_id=agent_id, agents=tuple(agents), git_server_url=server_url)
        self._server_url = server_url

    def setup(self, env: Environment) -> None:
        """Make git work in `env`, and try it. Again is fine and changes nothing.

        Raises `RemoteError` when it does not work, and the classes below `SandboxError`.
        """
        connect(env, self._seat)
        set_up_git(env, self._seat.agent_id, self._server_url)
