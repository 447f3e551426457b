import itertools
import multiprocessing
import time
from pathlib import Path

import pytest

from cooperbench.environments.limiter import CreationLimiter, create_patiently
from cooperbench.errors import CapacityError, QuotaError

INTERVAL = 0.1


def take_turns(folder: Path, turns: int) -> list[float]:
    limiter = CreationLimiter("shared", interval=INTERVAL, folder=folder)
    taken = [time.time()]
    for _ in range(turns):
        limiter.wait()
        taken.append(time.time())
    return taken


@pytest.mark.slow
def test_processes_take_turns(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        taken = sorted(itertools.chain(*pool.starmap(take_turns, [(tmp_path, 4)] * 3)))
    assert len(taken) == 3 + 12
    # One late process shortens the gap to the next, also the first one; all together they cannot be early.
    assert taken[-1] - taken[0] >= INTERVAL * 11 * 0.95


def test_holding_back_holds_everybody_back(tmp_path: Path) -> None:
    begun = time.monotonic()
    CreationLimiter("shared", interval=0, folder=tmp_path).hold_back(0.5)
    CreationLimiter("shared", interval=0, folder=tmp_path).wait()
    assert time.monotonic() - begun >= 0.45


@pytest.mark.parametrize("stored", ["not a number", "99999999999"])
def test_a_senseless_file_holds_nobody_back(tmp_path: Path, stored: str) -> None:
    (tmp_path / "shared.next").write_text(stored)
    assert CreationLimiter("shared", interval=0, folder=tmp_path).wait() == 0


def test_only_what_can_pass_is_tried_again(tmp_path: Path) -> None:
    limiter = CreationLimiter("shared", interval=0, folder=tmp_path)
    answers: list[Exception | str] = [CapacityError("full"), "made"]
    tried = []

    def create() -> str:
        tried.append(time.monotonic())
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert create_patiently(create, limiter, patience=10) == "made"
    assert tried[1] - tried[0] >= 0.9
    answers[:] = [QuotaError("no more"), "never"]
    with pytest.raises(QuotaError):
        create_patiently(create, limiter, patience=10)
    answers[:] = [CapacityError("full")] * 3
    with pytest.raises(CapacityError):
        create_patiently(create, limiter, patience=0.5)
