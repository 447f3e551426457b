from datetime import datetime, timedelta
from pathlib import Path

from cooperbench.records import EpisodeResult, EpisodeStatus, Failure, utc_now
from cooperbench.records.summary import concurrency_achieved
from cooperbench.runner import RunRequest, make_plan
from cooperbench.runner.engine.circuit_breaker import CircuitBreaker
from cooperbench.runner.engine.queue import JobQueue
from cooperbench.runner.episodes.job import Job

NOW = utc_now()


def jobs() -> list[Job]:
    plan = make_plan(RunRequest(subset="demo", agent="nop", log_dir=Path("logs")))
    return [Job(plan.config, episode) for episode in plan.episodes]


def result(job: Job, kind: str | None = None, *, retryable: bool = False) -> EpisodeResult:
    group = job.episode.group
    return EpisodeResult(
        run="exp",
        setting=job.config.setting,
        repo=group.repo,
        task_id=group.task_id,
        features=group.features,
        status=EpisodeStatus.COMPLETED if kind is None else EpisodeStatus.INFRA_ERROR,
        agents={},
        image="",
        backend="local",
        started_at=NOW,
        ended_at=NOW,
        duration_seconds=0,
        error=None if kind is None else failure(kind, retryable=retryable),
    )


def failure(kind: str, *, retryable: bool = False) -> Failure:
    boundary = "model" if kind.startswith("Model") else "environment"
    return Failure(boundary=boundary, kind=kind, message=kind, retryable=retryable)


def test_a_passing_failure_is_repeated_a_bounded_number_of_times_with_growing_pauses() -> None:
    [job, *_] = jobs()
    queue = JobQueue([job], retries=2, wait=8.0)
    assert queue.take() == job
    first = queue.again(job, result(job, "ModelOverloadedError", retryable=True))
    second = queue.again(job, result(job, "ModelOverloadedError", retryable=True))
    assert first is not None
    assert second is not None
    assert 6 <= first <= 10 < 12 <= second <= 20
    assert queue.again(job, result(job, "ModelOverloadedError", retryable=True)) is None
    assert len(queue) == 2
    assert queue.take() is None, "its pause is not over"


def test_what_a_repetition_cannot_help_is_final() -> None:
    [job, *_] = jobs()
    queue = JobQueue([], retries=2, wait=1.0)
    assert queue.again(job, result(job, "ModelAuthenticationError")) is None
    assert queue.again(job, result(job)) is None


def test_only_an_unbroken_row_of_one_failure_over_several_tasks_stops_a_run() -> None:
    planned = jobs()
    one = [job for job in planned if job.episode.task.repo == "shelfdb_task"]
    other = [job for job in planned if job.episode.task.repo != "shelfdb_task"]
    breaker = CircuitBreaker(tasks=2, concurrency=1)
    for job in one:
        assert breaker.note(job.episode.task.key, failure("ImageError")) is None, (
            "one broken image is one task's matter"
        )
    assert breaker.note(other[0].episode.task.key, failure("ImageError")) is not None
    breaker = CircuitBreaker(tasks=2, concurrency=1)
    for job in (one[0], other[0], one[1], other[1]):
        assert breaker.note(job.episode.task.key, failure("ImageError")) is None
    assert breaker.note(one[2].episode.task.key, None) is None
    assert breaker.note(other[2].episode.task.key, failure("ImageError")) is None, "a success: not everything fails"
    assert breaker.note(other[3].episode.task.key, failure("QuotaError")) is None


def test_what_strikes_everything_at_one_moment_counts_once() -> None:
    """Twenty episodes lose their engine together; only those begun after that show that it stays away."""
    breaker, away = CircuitBreaker(tasks=1, concurrency=20), failure("TransportError", retryable=True)
    for wave in range(5):
        began = utc_now()
        while utc_now() == began:
            pass  # the clock has to move on, or all of it would be one moment
        stops = [breaker.note("task", away, began) for _ in range(20)]
        assert any(stops) == (wave == 4)
        assert breaker.streak == wave + 1


def test_as_many_failures_as_seats_are_enough_once_they_have_lasted() -> None:
    """A provider that is down fails every call after minutes of attempts: four more waves would say nothing new."""
    breaker, away = (
        CircuitBreaker(tasks=1, concurrency=20, longest_outage=timedelta()),
        failure("Overloaded", retryable=True),
    )
    began = utc_now() - timedelta(minutes=3)
    assert [number for number in range(20) if breaker.note("task", away, began)] == [19]


def test_a_provider_that_fails_needs_no_second_task() -> None:
    breaker = CircuitBreaker(tasks=2, concurrency=1)
    assert [number for number in range(5) if breaker.note("task", failure("ModelAuthenticationError"))] == [4]


def test_a_held_queue_begins_nothing_for_a_while() -> None:
    queue = JobQueue(jobs(), retries=2, wait=60.0)
    assert queue.take() is not None
    queue.hold()
    assert queue.take() is None
    assert len(queue) > 0


def test_achieved_concurrency_counts_while_there_was_work_for_all_seats() -> None:
    def span(start: float, end: float) -> tuple[datetime, datetime]:
        return (NOW + timedelta(seconds=start), NOW + timedelta(seconds=end))

    assert concurrency_achieved([]) is None
    assert concurrency_achieved([span(0, 10), span(0, 10), span(0, 40)]) == 3
    assert concurrency_achieved([span(0, 10), span(10, 20)]) == 1
