"""Limits of providers hold on all machines whose runs name the same Redis."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.agents.pauses import SharedPauses
from cooperbench.collaboration.broker import Broker
from cooperbench.environments.limiter import CreationLimiter
from cooperbench.environments.shared_limits import SharedLimits, use_limits
from cooperbench.runner import run


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    use_limits(None)


def test_turns_and_pauses_are_one_for_all(broker: Broker) -> None:
    here, elsewhere = SharedLimits(broker.url), SharedLimits(broker.url)
    name = "turns"
    waits = [each.take_turn(name, step=1000.0) for each in (here, elsewhere, here)]
    assert waits == pytest.approx([0, 1000, 2000], abs=100)
    assert here.take_turn("pauses", pause=1000.0) == 0.0
    assert elsewhere.take_turn("pauses", pause=5.0) == pytest.approx(1000.0, abs=100)
    assert here.take_turn("pauses") == pytest.approx(1000.0, abs=100)
    assert here.take_turn("another") == 0.0


def test_a_moment_that_has_passed_is_forgotten(broker: Broker) -> None:
    limits = SharedLimits(broker.url)
    limits.take_turn("soon", pause=0.05)
    time.sleep(0.06)
    assert limits.take_turn("soon") == 0.0
    import redis

    with redis.Redis.from_url(broker.url) as client:
        limits.take_turn("kept", pause=30.0)
        assert all(client.pttl(key) != -1 for key in client.scan_iter("cooperbench-limits:*"))


def test_creations_take_turns_across_machines(broker: Broker, tmp_path: Path) -> None:
    use_limits(broker.url)
    one, other = (CreationLimiter("a provider", interval=0.2, folder=tmp_path / name) for name in ("one", "other"))
    begun = time.monotonic()
    one.wait()
    other.wait()
    assert time.monotonic() - begun > 0.18
    other.hold_back(0.5)
    one.wait()
    assert time.monotonic() - begun > 0.18 + 0.45


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "redis://user:wrong@{server}"])
def test_without_the_server_a_machine_keeps_its_own(broker: Broker, url: str, tmp_path: Path) -> None:
    use_limits(url.format(server=broker.url.rpartition("@")[2]))
    SharedPauses(tmp_path).extend("a provider", 60.0)
    assert SharedPauses(tmp_path).left("a provider", 60.0) > 50
    begun = time.monotonic()
    CreationLimiter("a provider", interval=60.0, folder=tmp_path).hold_back(0.2)
    CreationLimiter("a provider", interval=0.0, folder=tmp_path).wait()
    assert time.monotonic() - begun > 0.18


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_what_a_member_of_a_run_finds_out_is_known_on_other_machines(broker: Broker, surroundings: Path) -> None:
    given = {"subset": "demo", "repo": "shelfdb", "features": (1, 2), "auto_eval": False}
    run("refused", "is_refused", "none", setting="solo", redis_url=broker.url, log_dir=surroundings, **given)  # type: ignore[arg-type]
    use_limits(broker.url)
    assert SharedPauses().left("the tests' provider", 60.0) > 10
