"""`GitConnector`, the published interface to the shared git remote of an episode.

After `setup`, plain git works in the sandbox: `origin` (also called `team`) is the shared repository, the agent is on a branch
of its own name, and `main` is where everybody started. What the image brought along from elsewhere is gone: upstream remotes,
and all history after the base commit. It works with the sandbox's network off, because the remote's URL is not one of a
network: git runs the helper `git-remote-coop`, which speaks to the harness.
"""

import hashlib
import shlex
import struct
from collections.abc import Sequence

from cooperbench.collaboration.git_client import GitClient
from cooperbench.collaboration.git_protocol import NO_OBJECT, RefCommand
from cooperbench.collaboration.git_rules import PROTECTED
from cooperbench.collaboration.seat import Seat, connect
from cooperbench.environments import Environment, worktree
from cooperbench.errors import RemoteError

REMOTE_URL = "coop::shared"
_MAIN = f"refs/heads/{PROTECTED}"
_SECONDS = 600.0

# Plumbing only, and without the repository's hooks: a task's own install may have put some there.
_CONFIGURE = f"""set -e
g() {{ git -c core.hooksPath=/dev/null "$@"; }}
git remote | while IFS= read -r name; do g remote remove "$name"; done
for name in origin team; do g remote add "$name" {REMOTE_URL}; done
g config user.name "$agent"
g config user.email "$agent@cooperbench.invalid"
g config push.default current
g config pull.rebase false
g update-ref {_MAIN} "$base"
g update-ref "refs/heads/$agent" "$base"
g symbolic-ref HEAD "refs/heads/$agent"
"""


class GitConnector:
    """Connects one agent's sandbox to the shared repository.

    `agents` are the names of all members, the agent's own included; `server_url` is the URL that `GitServer` handed out for
    this agent. It stays in the harness: nothing of it is put into the sandbox.
    """

    def __init__(self, *, agent_id: str, agents: Sequence[str], server_url: str) -> None:
        self._seat = Seat(agent_id=agent_id, agents=tuple(agents), git_server_url=server_url)
        self._client = GitClient(server_url)

    def setup(self, env: Environment) -> None:
        """Make git work in `env`, and try it. Again is fine and changes nothing.

        Raises `RemoteError` when it does not work, and the classes below `SandboxError`.
        """
        connect(env, self._seat)
        if not self._is_configured(env):
            base = _run(env, "git rev-parse --verify HEAD^0", "the sandbox has no git repository with a commit")
            worktree.strip_later_history(env, base)
            self._agree_on_base(env, base)
            _run(env, _CONFIGURE, "git could not be configured", agent=self._seat.agent_id, base=base)
        _run(env, "git -c core.hooksPath=/dev/null fetch -q origin", "the shared repository cannot be reached")

    def _is_configured(self, env: Environment) -> bool:
        return env.execute("git config --get remote.origin.url", timeout=_SECONDS)["output"].strip() == REMOTE_URL

    def _agree_on_base(self, env: Environment, base: str) -> None:
        """Make sure that `main` of the shared repository is the commit that the sandbox starts from."""
        if _MAIN not in self._client.list_refs().refs and not self._offer(base, _empty_pack()):
            place = _run(
                env,
                'place=$(mktemp) && echo "$base" | git pack-objects -q --revs --stdout --delta-base-offset >"$place" && echo "$place"',
                "the history could not be packed",
                base=base,
            )
            self._offer(base, env.read_file(place))
            env.execute(f"rm -f {shlex.quote(place)}")
        main = self._client.list_refs().refs.get(_MAIN, "missing")
        if main != base:
            raise RemoteError(
                f"{self._seat.agent_id} starts from commit {base}, but {PROTECTED} of the shared repository is {main}",
                subject=self._seat.agent_id,
                hint="all members of an episode need the same image",
            )

    def _offer(self, base: str, pack: bytes) -> bool:
        report = self._client.push_pack([RefCommand(NO_OBJECT, base, _MAIN)], pack)
        return report.results.get(_MAIN, "") is None


def _run(env: Environment, command: str, complaint: str, **variables: str) -> str:
    done = env.execute(command, timeout=_SECONDS, env=variables)
    if done["returncode"]:
        raise RemoteError(f"{complaint}: {done['output'].strip()[-500:] or 'exit code ' + str(done['returncode'])}")
    return done["output"].strip()


def _empty_pack() -> bytes:
    header = struct.pack(">4sII", b"PACK", 2, 0)
    return header + hashlib.sha1(header, usedforsecurity=False).digest()
