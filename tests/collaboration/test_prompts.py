"""The rendered prompts of every setting, compared with the files in `snapshots/`.

After a wanted change of a template: `COOPERBENCH_UPDATE_SNAPSHOTS=1 pytest tests/collaboration/test_prompts.py`, and read the diff.
"""

import os
import re
from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError

from cooperbench.collaboration.prompts import render_task, templates_digest
from cooperbench.collaboration.team_access import GIT, MESSAGING, TASK_BOARD, TeamAccess, capabilities_of
from cooperbench.errors import UsageError
from cooperbench.records import Role, Setting

SNAPSHOTS = Path(__file__).parent / "snapshots"
MAILBOX = "redis://agent1:secret@127.0.0.1:6379/0#run:one"
REMOTE = "http://agent1:secret@127.0.0.1:8080/one.git"
MINE = {2: "# Quote style\n\nKeep `{{ quotes }}` and {% raw %} as they are.\n"}
COMBINATIONS = list(product((False, True), repeat=3))

# Words that would give an ability away. Each must be in every prompt that has it and in none that has not.
TRACES = {
    MESSAGING.name: r"coop (send|recv|ask)|message(?! \"|\")",
    GIT.name: r"origin|coop submit|branch|git (push|fetch|merge)|shared git",
    TASK_BOARD.name: r"coop task|[Tt]ask board",
}


def access(messaging: bool, git: bool, board: bool, size: int = 2, role: Role | None = None) -> TeamAccess:
    return TeamAccess(
        agent_id="agent1",
        agents=tuple(f"agent{number + 1}" for number in range(size)),
        comm_url=MAILBOX if messaging else None,
        git_server_url=REMOTE if git else None,
        board_url=MAILBOX if board else None,
        role=role,
        lead="agent1" if role is Role.LEAD else "agent2" if role is Role.MEMBER else None,
    )


def compare(name: str, text: str) -> None:
    path = SNAPSHOTS / f"{name}.md"
    if os.environ.get("COOPERBENCH_UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("messaging", "git", "board"), COMBINATIONS)
@pytest.mark.parametrize("size", [2, 3])
def test_coop(messaging: bool, git: bool, board: bool, size: int) -> None:
    member_access = access(messaging, git, board, size)
    text = render_task(MINE, member_access, Setting.COOP)
    on = "_".join(capability.name for capability in capabilities_of(member_access)) or "nothing"
    compare(f"coop{size}_{on}", text)
    for name, trace in TRACES.items():
        present = name in on
        assert bool(re.search(trace, text)) is present, name


@pytest.mark.parametrize("role", list(Role))
def test_team(role: Role) -> None:
    compare(f"team_{role}", render_task(MINE, access(True, True, True, 3, role), Setting.TEAM))


def test_solo_has_every_feature_and_no_trace_of_a_team() -> None:
    alone = TeamAccess(agent_id="solo", agents=("solo",))
    text = render_task({1: "First thing.", **MINE}, alone, Setting.SOLO)
    compare("solo", text)
    compare("solo_one_feature", render_task(MINE, alone, Setting.SOLO))
    assert not re.search(r"team|coop|colleague|agent\d|merge|origin|message|branch", text, re.IGNORECASE)
    assert "First thing." in text
    assert "{{ quotes }}" in text
    assert "{% raw %}" in text


def test_no_credential_is_in_a_prompt() -> None:
    assert "secret" not in render_task(MINE, access(True, True, True), Setting.COOP)


def test_capabilities_do_not_share_what_they_own() -> None:
    everything = capabilities_of(access(True, True, True))
    assert [capability.name for capability in everything] == ["messaging", "git", "task_board"]
    for owned in ("commands", "events", "template"):
        parts = [getattr(capability, owned) for capability in everything]
        flat = [item for part in parts for item in ([part] if isinstance(part, str) else part)]
        assert len(flat) == len(set(flat))


def test_templates_digest_is_stable_and_of_this_text() -> None:
    assert templates_digest() == templates_digest()
    assert re.fullmatch(r"[0-9a-f]{64}", templates_digest())


@pytest.mark.parametrize(
    ("features", "member_access", "setting"),
    [
        ({}, access(True, True, True), Setting.COOP),
        (MINE, access(True, True, True), Setting.SOLO),
        (MINE, TeamAccess(agent_id="solo", agents=("solo",)), Setting.COOP),
    ],
)
def test_what_does_not_go_together_is_refused(
    features: dict[int, str], member_access: TeamAccess, setting: Setting
) -> None:
    with pytest.raises(UsageError):
        render_task(features, member_access, setting)


@pytest.mark.parametrize(
    "fields",
    [
        {"agent_id": "agent3", "agents": ("agent1", "agent2")},
        {"agent_id": "agent1", "agents": ("agent1", "agent1")},
        {"agent_id": "agent1", "agents": ("agent1",), "lead": "agent2"},
    ],
)
def test_a_seat_has_to_make_sense(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TeamAccess.model_validate(fields)
