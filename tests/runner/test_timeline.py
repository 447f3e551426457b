"""The events of an episode."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cooperbench.records import Failure
from cooperbench.records.event_details import EpisodeStarted, MemberStarted
from cooperbench.records.model_wait import ModelWait
from cooperbench.runner.episodes.timeline import PendingEvent, Timeline, of_waits


def test_a_failure_is_noted_with_its_own_kind(tmp_path: Path) -> None:
    timeline = Timeline(tmp_path / "events.jsonl")
    failure = Failure(boundary="ours", kind="DiskFullError", message="no space")
    timeline.add("episode.failed", failure)
    event = json.loads((tmp_path / "events.jsonl").read_text())
    assert event["kind"] == "episode.failed"
    assert event["data"]["kind"] == "DiskFullError"


def test_events_of_all_sources_stand_in_the_order_of_time(tmp_path: Path) -> None:
    timeline = Timeline(tmp_path / "events.jsonl")
    timeline.add("episode.started", EpisodeStarted(attempt=1))
    timeline.add("member.started", MemberStarted(agent="nop"), "agent1")
    now = datetime.now(UTC)
    others = [
        PendingEvent(now + timedelta(days=1), "episode.ended"),
        PendingEvent(now - timedelta(days=1), "model.call"),
    ]
    events = [json.loads(line) for line in timeline.merged(others).splitlines()]
    assert [event["kind"] for event in events] == ["model.call", "episode.started", "member.started", "episode.ended"]
    assert [event["sequence"] for event in events] == [0, 1, 2, 3]


def test_a_wait_for_the_model_is_an_event() -> None:
    now = datetime.now(UTC)
    wait = ModelWait(
        time=now, until=now + timedelta(seconds=8), kind="ModelRateLimitError", reason="429", attempt=3, attempts=9
    )
    [event] = of_waits("agent1", [wait])
    assert (event.kind, event.agent_id, event.started_at, event.time) == ("model.wait", "agent1", now, wait.until)
    assert event.data["reason"] == "429"
    assert event.data["attempt"] == 3
