"""Who may move which branch of an episode's shared repository.

`main` stays at the base commit for everybody; where the server does not know that commit from the start, the first setup of a
sandbox puts it there. The names `<agent_id>` and `<agent_id>/…` belong to that agent from the start,
any other branch to the agent that pushes it first, and for the rest of the episode: also after a deletion, so that a branch
somebody works on cannot be taken over. An owner may do anything with a branch: update, force, delete. Others can only read it.
Tags and other references are not shared.
"""

import threading
from collections.abc import Iterable

from cooperbench.collaboration.git_protocol import RefCommand

PROTECTED = "main"
_BRANCHES = "refs/heads/"


class BranchRules:
    """The owners of the branches of one episode. Safe to use from several threads."""

    def __init__(self, agents: Iterable[str], *, has_main: bool) -> None:
        self.has_main = has_main
        self._agents = {_fold(agent): agent for agent in agents}
        self._owners: dict[str, str] = {}
        self._lock = threading.Lock()

    def refusals(self, agent: str, commands: Iterable[RefCommand]) -> dict[str, str]:
        """The references of a push that `agent` may not move, each with the reason. New names are taken by asking."""
        reasons = ((command.ref, self._refusal(agent, command.ref)) for command in commands)
        return {ref: reason for ref, reason in reasons if reason}

    def owner(self, ref: str) -> str | None:
        """Whose branch this is, by its full name."""
        branch = ref.removeprefix(_BRANCHES)
        return self._named(branch) or self._owners.get(_fold(branch))

    def _refusal(self, agent: str, ref: str) -> str | None:
        if not ref.startswith(_BRANCHES):
            return f"only branches are shared here; push it as a branch, such as {agent}"
        branch = ref.removeprefix(_BRANCHES)
        if branch == PROTECTED and not self.has_main:
            return None
        if _fold(branch) == PROTECTED:
            return f"{PROTECTED} is protected: it stays at the base commit; push to {agent} instead"
        if _fold(branch) == "head":
            return "HEAD is no name for a branch"
        owner = self._claim(agent, branch)
        return (
            None if owner == agent else f"this branch belongs to {owner}; push to {agent} or another name of your own"
        )

    def _claim(self, agent: str, branch: str) -> str:
        with self._lock:
            return self._named(branch) or self._owners.setdefault(_fold(branch), agent)

    def _named(self, branch: str) -> str | None:
        return self._agents.get(_fold(branch.partition("/")[0]))


def _fold(name: str) -> str:
    # On a host whose file system ignores case, `MAIN` would be the same file as `main`.
    return name.casefold()
