"""The events of an episode."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from cooperbench.records import Event, Failure
from cooperbench.records.event_details import DETAILS, EpisodeStarted, MemberStarted
from cooperbench.records.events import event_schema
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


@given(st.lists(st.tuples(st.integers(-9, 9), st.sampled_from(("agent1", "agent2"))), max_size=20))
def test_any_events_are_in_order_and_numbered(moments: list[tuple[int, str]]) -> None:
    with TemporaryDirectory() as folder:
        timeline = Timeline(Path(folder) / "events.jsonl")
        timeline.add("episode.started", EpisodeStarted(attempt=1))
        now = datetime.now(UTC)
        others = [PendingEvent(now + timedelta(seconds=second), "episode.ended", agent) for second, agent in moments]
        events = [Event.model_validate_json(line) for line in timeline.merged(others).splitlines()]
    assert [event.sequence for event in events] == list(range(len(moments) + 1))
    assert [event.time for event in events] == sorted(event.time for event in events)
    # What happened at the same moment stays in the order in which it was noted.
    assert sorted(moments, key=lambda moment: moment[0]) == [
        (round((event.time - now).total_seconds()), event.agent_id) for event in events if event.kind == "episode.ended"
    ]


def test_every_kind_has_a_schema_and_every_line_fits_it() -> None:
    schema = event_schema()
    assert schema["properties"]["kind"]["enum"] == list(DETAILS)
    assert {each["then"]["properties"]["data"]["$ref"].rpartition("/")[2] for each in schema["allOf"]} <= {
        *schema["$defs"]
    }
    for name, model in DETAILS.items():
        required = set(model.model_json_schema().get("required", ()))
        assert required <= set(schema["$defs"][model.__name__]["properties"]), name


def test_a_wait_for_the_model_is_an_event() -> None:
    now = datetime.now(UTC)
    wait = ModelWait(
        time=now, until=now + timedelta(seconds=8), kind="ModelRateLimitError", reason="429", attempt=3, attempts=9
    )
    [event] = of_waits("agent1", [wait])
    assert (event.kind, event.agent_id, event.started_at, event.time) == ("model.wait", "agent1", now, wait.until)
    assert event.data["reason"] == "429"
    assert event.data["attempt"] == 3
