"""Test slots between processes: bounded, and free again however a process ends. What evaluations of a run gain from them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.runner import run
from cooperbench.runner.workers.slots import FileSlots
from tests.runner.parts import write_parts

HOLDER = """
import sys
from pathlib import Path
from cooperbench.runner.workers.slots import FileSlots
slots = FileSlots(folder=Path(sys.argv[1]), places=1, ahead=1)
with slots.sandbox(), slots.running():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_killed_process_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    slots = FileSlots(folder=tmp_path, places=1, ahead=1)
    ran = threading.Event()

    def take() -> None:
        with slots.sandbox(), slots.running():
            ran.set()

    with slots.sandbox():  # one beside that of the running process
        waiting = threading.Thread(target=take, daemon=True)
        waiting.start()
        assert not ran.wait(0.3)
    assert not ran.wait(0.3)  # its sandbox may be there now, but tests of the other process run
    holder.kill()
    assert ran.wait(60)
    waiting.join()


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_evaluations_go_on_beside_working_agents(surroundings: Path, tmp_path: Path) -> None:
    """The second episode's agents wait for the first one's verdict, so it has to come while they work."""
    write_parts(tmp_path / "data", 3, pairs=[(1, 2), (1, 3)])
    ended = run(
        "beside",
        "waits_for_verdict",
        config={"logs": str(surroundings)},
        dataset_dir="data",
        subset="chosen",
        backend="local",
        concurrency=1,
        eval_concurrency=1,
        log_dir=surroundings,
    )
    assert ended.complete
    assert [episode.evaluation is not None and episode.evaluation.error for episode in ended.episodes] == [None, None]
    first, second = (episode.result for episode in ended.episodes)
    assert first is not None
    assert second is not None
    assert [member.error for result in (first, second) for member in result.agents.values()] == [None] * 4
