"""A capability that a member lacks leaves no trace in its sandbox, and one that it has is all there."""

from pathlib import Path

import pytest

from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.connect import connect
from cooperbench.collaboration.git_server import GitServer
from cooperbench.collaboration.team_access import (
    GIT,
    MESSAGING,
    TASK_BOARD,
    TeamAccess,
    TeamCapability,
    capabilities_of,
)
from cooperbench.environments import LocalEnvironment

EVERYTHING = (MESSAGING, GIT, TASK_BOARD)
AGENTS = ("agent1", "agent2")


@pytest.mark.parametrize(
    "present",
    [(), (MESSAGING,), (GIT,), (TASK_BOARD,), EVERYTHING],
    ids=["nothing", "messaging", "git", "task_board", "everything"],
)
def test_a_sandbox_has_what_its_seat_has_and_no_trace_of_more(
    image: str, broker: Broker, tmp_path: Path, present: tuple[TeamCapability, ...], request: pytest.FixtureRequest
) -> None:
    with GitServer(tmp_path / "git") as server, LocalEnvironment(image, network="none") as env:
        names = "env | cut -d= -f1 | sort"
        before = env.execute(names)["output"]
        mailbox = broker.open_episode(request.node.name, AGENTS)["agent1"]
        access = TeamAccess(
            agent_id="agent1",
            agents=AGENTS,
            comm_url=mailbox if MESSAGING in present else None,
            git_server_url=server.create_repository("one", AGENTS)["agent1"] if GIT in present else None,
            board_url=mailbox if TASK_BOARD in present else None,
        )
        assert capabilities_of(access) == present
        bridge = connect(env, access)
        for capability in EVERYTHING:
            for command in capability.commands:
                missing = "unknown command" in env.execute(f"coop {command} </dev/null")["output"]
                assert missing is (capability not in present), command
        usage = env.execute("coop help")["output"]
        assert ("coop send" in usage) is (MESSAGING in present)
        assert ("coop submit" in usage) is (GIT in present)
        assert ("coop task" in usage) is (TASK_BOARD in present)
        assert bool(env.execute("command -v git-remote-coop coop-submit")["output"]) is (GIT in present)
        assert bool(env.execute("git remote")["output"]) is (GIT in present)
        assert env.execute(names)["output"] == before
        bridge.close()


def test_the_task_board_from_inside(image: str, broker: Broker) -> None:
    urls = broker.open_episode("board from inside", AGENTS)
    with LocalEnvironment(image, network="none") as env, LocalEnvironment(image, network="none") as other:
        for agent, sandbox in zip(AGENTS, (env, other), strict=True):
            connect(sandbox, TeamAccess(agent_id=agent, agents=AGENTS, board_url=urls[agent]))

        def task(sandbox: LocalEnvironment, words: str) -> tuple[str, int]:
            done = sandbox.execute(f"coop task {words}")
            return done["output"].strip(), done["returncode"]

        assert task(env, "list") == ("The list is empty.", 0)
        assert task(env, "add 'write the  parser'") == ("Added task 1.", 0)
        assert task(env, "add - <<'E'\nit's \"two\"\nlines ü\nE") == ("Added task 2.", 0)
        assert task(other, "claim 1") == ("Task 1 is yours.", 0)
        assert task(env, "claim 1") == ("coop: task 1 is taken by agent2", 1)
        assert task(env, "done 1") == ("coop: task 1 is taken by agent2", 1)
        assert task(other, "done 1") == ("Task 1 is done.", 0)
        assert task(env, "list") == ('1. [agent2, done] write the parser\n2. [free] it\'s "two" lines ü', 0)
        for wrong in ("claim", "claim x", "claim -1", "add", "add ''", "frobnicate", "claim 1 2"):
            said, code = task(env, wrong)
            assert code in (1, 2), wrong
            assert "coop: " in said
