import threading
from datetime import timedelta
from pathlib import Path

import pytest

from cooperbench.records import Ending, Failure, LimitReached, MemberResult, utc_now
from cooperbench.records.member_files import Progress
from cooperbench.runner.episodes.outcomes import StopReason, WorkerEnd, first_cause, settle_outcome
from cooperbench.runner.workers.pool import Worker


@pytest.mark.parametrize(
    ("steps", "asked", "heard", "ending"),
    [
        (0, 20, None, Ending.INFRA_ERROR),
        (3, 20, None, Ending.TIMEOUT),
        (3, 900, None, Ending.INFRA_ERROR),
        (0, 900, 1, Ending.TIMEOUT),
        (3, 900, 400, Ending.INFRA_ERROR),
        (3, None, None, Ending.TIMEOUT),
    ],
)
def test_a_silent_model_is_nobodys_timeout_and_a_talking_one_is_the_agents(
    steps: int, asked: int | None, heard: int | None, ending: Ending, tmp_path: Path
) -> None:
    """`asked` and `heard` are seconds before the end."""
    now = utc_now()
    progress = Progress(
        steps=steps,
        asked_at=None if asked is None else now - timedelta(seconds=asked),
        heard_at=None if heard is None else now - timedelta(seconds=heard),
        updated_at=now,
    )
    end = WorkerEnd(
        worker=Worker(threading.Event()),
        reported=None,
        progress=progress,
        stopped=StopReason.WALL_TIME,
        wall_time=LimitReached(kind="wall_time", value=1000, limit=1000),
        ended_at=now,
        peak_mb=1.0,
        memory_mb=100.0,
        log=tmp_path / "log",
    )
    assert settle_outcome(end).ending is ending


def test_the_cause_of_an_episode_is_what_failed_first() -> None:
    """The innocent teammate is stopped after it, with its container gone, and may come first by name."""
    now = utc_now()

    def member(agent_id: str, seconds: int, ending: Ending, message: str) -> MemberResult:
        return MemberResult(
            agent_id=agent_id,
            agent="gold",
            model="",
            features=(1,),
            ending=ending,
            status="",
            error=Failure(boundary="sandbox", kind="SandboxError", message=message) if message else None,
            started_at=now,
            ended_at=now + timedelta(seconds=seconds),
        )

    innocent = member("agent1", 3, Ending.INFRA_ERROR, "the container is gone")
    cause = first_cause([innocent, member("agent2", 2, Ending.INFRA_ERROR, "git does not work")])
    assert cause is not None
    assert cause.message == "git does not work"
    assert (
        first_cause([member("agent1", 1, Ending.CRASH, "crashed"), member("agent2", 2, Ending.SUBMITTED, "")]) is None
    )
