"""Set up a sandbox so that plain git in it works with the shared repository of the episode.

Afterwards `origin` (also called `team`) is the shared repository, the agent is on a branch of its own name, and `main` is the base
commit. The image's own remotes and all history after the base commit are gone. The remote's URL is not a network address: git
runs the helper `git-remote-coop` for it, which talks to the harness.
"""

import hashlib
import struct

from cooperbench.collaboration.git_client import GitClient
from cooperbench.collaboration.git_protocol import NO_OBJECT, PROTECTED, RefCommand
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

_SHALLOW = 'file=$(git rev-parse --git-path shallow) && [ -s "$file" ] && cat "$file"'
_PACK = 'echo "$1" | git pack-objects -q --revs --stdout --delta-base-offset'


def set_up_git(env: Environment, agent_id: str, server_url: str, *, history_stripped: bool = False) -> None:
    """Make git work in a connected sandbox, and fetch once. Repeating it changes nothing.

    `history_stripped` says that nothing after the base commit is left in it. Raises `RemoteError` when git does not work, and the
    classes below `SandboxError`.
    """
    if env.run_script("git config --get remote.origin.url", timeout=_SECONDS).stdout.strip() != REMOTE_URL.encode():
        base = _base_commit(env)
        if not history_stripped:
            worktree.strip_later_history(env, base)
        _agree_on_base(env, agent_id, GitClient(server_url), base)
        _run(env, _CONFIGURE, "git could not be configured", agent=agent_id, base=base)
    _run(env, "git -c core.hooksPath=/dev/null fetch -q origin", "the shared repository cannot be reached")


def _base_commit(env: Environment) -> str:
    done = env.run_script("git rev-parse --verify HEAD^0", timeout=_SECONDS)
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise RemoteError(f"the sandbox has no git repository with a commit: {reason}")
    return done.stdout.decode().strip()


def _agree_on_base(env: Environment, agent_id: str, client: GitClient, base: str) -> None:
    """Make sure that `main` of the shared repository is the commit from which the sandbox starts."""
    if _MAIN not in client.list_refs().refs:
        shallow = env.run_script(_SHALLOW, timeout=_SECONDS).stdout.decode().split()
        if not _offer(client, base, _empty_pack(), shallow):
            _offer(client, base, _history(env, base), shallow)
    main = client.list_refs().refs.get(_MAIN, "missing")
    if main != base:
        raise RemoteError(
            f"{agent_id} starts from commit {base}, but {PROTECTED} of the shared repository is {main}",
            subject=agent_id,
            hint="all members of an episode need the same image",
        )


def _offer(client: GitClient, base: str, pack: bytes, shallow: list[str]) -> bool:
    report = client.push_pack([RefCommand(NO_OBJECT, base, _MAIN)], pack, shallow=shallow)
    return report.results.get(_MAIN, "") is None


def _history(env: Environment, base: str) -> bytes:
    """Pack all objects that the base commit reaches."""
    done = env.run_script(_PACK, base, timeout=_SECONDS)
    if done.returncode:
        raise RemoteError(f"the history could not be packed: {done.stderr.decode('utf-8', 'replace').strip()[-500:]}")
    return done.stdout


def _run(env: Environment, command: str, complaint: str, **variables: str) -> None:
    done = env.execute(command, timeout=_SECONDS, env=variables)
    if done["returncode"]:
        raise RemoteError(f"{complaint}: {done['output'].strip()[-500:] or 'exit code ' + str(done['returncode'])}")


def _empty_pack() -> bytes:
    header = struct.pack(">4sII", b"PACK", 2, 0)
    return header + hashlib.sha1(header, usedforsecurity=False).digest()
