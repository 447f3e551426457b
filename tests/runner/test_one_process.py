"""Runs that overlap in one process, as `demo` and trainers have them: none may find another's state there."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cooperbench.records import RunDirectory
from cooperbench.records.live import Counts
from cooperbench.records.run_owner import OWNER, run_owner
from cooperbench.runner import Plan, run
from cooperbench.runner.engine.observer import Silent

pytestmark = [pytest.mark.slow, pytest.mark.needs("sandbox")]


class Overlapping(Silent):
    """Holds its run at the beginning until the other has begun, and the second one at the end until the first has ended."""

    def __init__(self, begun: threading.Barrier) -> None:
        self._begun = begun

    def begin(self, plan: Plan, counts: Counts) -> None:
        self._begun.wait(60)


def test_sandboxes_of_overlapping_runs_belong_to_their_own(surroundings: Path) -> None:
    before = dict(os.environ)
    begun, first_ended = threading.Barrier(2), threading.Event()

    def play(name: str) -> str:
        class Ending(Overlapping):
            def end(self, counts: Counts) -> None:
                assert name == "first" or first_ended.wait(60)

        result = run(
            name,
            "names_its_owner",
            "none",
            setting="solo",
            subset="demo",
            repo="shelfdb",
            features=(1, 2),
            auto_eval=False,
            log_dir=surroundings,
            observer=Ending(begun),
        )
        if name == "first":
            first_ended.set()
        episode = result.episodes[0].result
        assert episode is not None
        return episode.agents["solo"].status

    with ThreadPoolExecutor(2) as threads:
        owners = dict(zip(("first", "second"), threads.map(play, ("first", "second")), strict=True))
    assert owners == {name: run_owner(RunDirectory(surroundings / name)) for name in owners}
    assert OWNER not in os.environ
    # Set once, to what every run would set, and never back.
    assert os.environ.items() - before.items() <= {("LITELLM_LOCAL_MODEL_COST_MAP", "True")}
