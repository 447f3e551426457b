"""What cannot work is refused in one line, with what to write instead, before anything starts."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from cooperbench.errors import UsageError
from cooperbench.runner import EvaluationOptions
from cooperbench.training import Endpoint, rollout, rollout_async

HERE = Endpoint(model="scripted/talks_and_passes")
PAIR = {"agent1": HERE, "agent2": HERE}


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/v1"


@pytest.mark.parametrize(
    ("wrong", "message", "hint"),
    [
        ({"rewards": "alll"}, "unknown reward 'alll'; did you mean 'all'", "rewards="),
        ({"rewards": ["own", "luck"]}, "unknown reward 'luck'", "rewards="),
        ({"rewards": {"own": "much"}}, "the weight of reward 'own' is 'much'", "rewards="),
        ({"rewards": {}}, "no reward is named", "rewards="),
        ({"setting": "pair"}, "unknown setting 'pair'", None),
        ({"setting": "solo"}, "unknown member 'agent1'", "members={'solo'"),
        ({"members": {**PAIR, "agent3": HERE}}, "unknown member 'agent3'", "members={'agent1'"),
        ({"members": {"agent1": HERE}}, "agent2 has no endpoint", "Endpoint"),
        ({"members": {**PAIR, "agent2": "http://localhost:1/v1"}}, "in the place of an endpoint", "Endpoint"),
        ({"members": {**PAIR, "agent2": Endpoint("http://localhost:1/v1")}}, "names no model", "model="),
        ({"members": {**PAIR, "agent2": Endpoint("localhost:1", model="m")}}, "not the URL of a server", "base_url="),
        (
            {"members": {**PAIR, "agent2": Endpoint(model="scripted/talks_and_passes", sampling={"heat": 1})}},
            "heat",
            "",
        ),
        ({"features": 1}, "features is 1, not a list", "(1, 2)"),
        ({"features": (1, 99)}, "unknown feature '99'", "tasks show"),
        ({"features": (1, 1)}, "feature 1 is named twice", None),
        ({"task": "shelf_task/1"}, "unknown repository 'shelf_task'", "tasks list"),
        ({"backend": "moon"}, "unknown backend 'moon'", "--backend local"),
        ({"evaluation": EvaluationOptions(policy="best")}, "unknown policy 'best'", None),
        ({"git": True, "setting": "solo", "members": {"solo": HERE}}, "solo has one agent", "leave out"),
    ],
)
def test_one_line(wrong: dict[str, Any], message: str, hint: str | None, tmp_path: Path) -> None:
    given = {"task": "shelfdb_task/1", "features": (1, 2), "members": PAIR, "backend": "local", "log_dir": tmp_path}
    with pytest.raises(UsageError) as caught:
        rollout(**{**given, **wrong})
    assert message in caught.value.message
    assert "\n" not in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")
    assert not list(tmp_path.iterdir())


@pytest.mark.needs("sandbox")
def test_nothing_listens(tmp_path: Path) -> None:
    url = closed_port()
    members = {"agent1": HERE, "agent2": Endpoint(url, model="policy")}
    with pytest.raises(UsageError, match=f"no server answers at {url}") as caught:
        rollout("shelfdb_task/1", (1, 2), members, backend="local", log_dir=tmp_path)
    assert "start the server" in (caught.value.hint or "")
    assert not list(tmp_path.iterdir())


def test_it_would_block_the_loop() -> None:
    async def blocking() -> None:
        rollout("shelfdb_task/1", (1, 2), PAIR)

    with pytest.raises(UsageError, match="would block") as caught:
        asyncio.run(blocking())
    assert caught.value.hint == f"await {rollout_async.__name__}(...)"


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(Endpoint("http://localhost:1/v1", "secret", "m"))
