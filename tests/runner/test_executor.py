import pickle
from concurrent.futures import Future
from pathlib import Path

import pytest

from cooperbench.records import EpisodeResult, GroupKey
from cooperbench.runner import LocalExecutor, RunRequest, SessionOptions, execute, make_plan
from cooperbench.runner.episodes.job import Job, Services

pytestmark = pytest.mark.needs("sandbox")


class SentAway:
    """An executor whose jobs cross a border, as on a cluster: they arrive as copies."""

    def __init__(self, services: Services, capacity: int) -> None:
        self._local = LocalExecutor(services, capacity)
        self.capacity = capacity
        self.sent = 0

    @property
    def waiting(self) -> int:
        return self._local.waiting

    def submit(self, job: Job) -> Future[EpisodeResult]:
        self.sent += 1
        return self._local.submit(pickle.loads(pickle.dumps(job)))

    def interrupt(self) -> None:
        self._local.interrupt()

    def cancel(self, group: GroupKey) -> None:
        self._local.cancel(group)

    def close(self) -> None:
        self._local.close()


@pytest.mark.slow
def test_jobs_are_plain_values_that_can_be_sent_to_another_machine(surroundings: Path) -> None:
    made: list[SentAway] = []

    def make(services: Services, capacity: int) -> SentAway:
        made.append(SentAway(services, capacity))
        return made[-1]

    request = RunRequest(subset="demo", repo="ledgerkit", agent="nop", log_dir=surroundings)
    result = execute(make_plan(request), SessionOptions(auto_eval=False, concurrency=4), make_executor=make)
    assert result.complete
    assert made[0].sent == result.summary.planned
