"""The events of one member: spans that the harness noted, joined with the agent's own history."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cooperbench.records import TrajectoryMessage, Usage
from cooperbench.records.activity import CommandSpan, ModelSpan, Span
from cooperbench.runner.episodes.member_events import of_activity
from cooperbench.runner.episodes.timeline import PendingEvent

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def called(begin: float, end: float) -> ModelSpan:
    return ModelSpan(started_at=at(begin), ended_at=at(end), usage=Usage(cost=0.5, input_tokens=7))


def ran(begin: float, end: float, *changed: str) -> CommandSpan:
    return CommandSpan(
        started_at=at(begin), ended_at=at(end), command="make", exit_code=2, timed_out=False, changed=changed
    )


def answer(seconds: float | None, *tools: str) -> TrajectoryMessage:
    calls = [{"id": f"call{number}", "function": {"name": tool}} for number, tool in enumerate(tools)]
    time = None if seconds is None else at(seconds)
    return TrajectoryMessage(time=time, message={"role": "assistant", "content": "", "tool_calls": calls})


def result(seconds: float | None, call: int) -> TrajectoryMessage:
    time = None if seconds is None else at(seconds)
    return TrajectoryMessage(time=time, message={"role": "tool", "tool_call_id": f"call{call}", "content": ""})


def of_kind(events: list[PendingEvent], kind: str) -> list[PendingEvent]:
    return [event for event in events if event.kind == kind]


def test_spans_and_messages_meet() -> None:
    messages = [answer(2.1, "bash", "send_message", "bash"), result(4, 0), result(4.1, 1), result(6, 2)]
    events = list(of_activity("agent1", messages, [called(0, 2), ran(3, 3.9, "a.py"), ran(5, 5.9)]))
    [call] = of_kind(events, "model.call")
    assert (call.started_at, call.time, call.data["index"], call.data["usage"]["input_tokens"]) == (at(0), at(2), 0, 7)
    found = [
        (event.data["index"], event.data["tool"], event.data.get("exit_code"), event.data.get("changed"))
        for event in of_kind(events, "tool.result")
    ]
    assert found == [(1, "bash", 2, ["a.py"]), (2, "send_message", None, None), (3, "bash", 2, [])]


def test_an_agent_that_reports_at_its_end_has_the_same_events() -> None:
    messages = [answer(None, "bash"), result(None, 0)]
    events = list(of_activity("agent1", messages, [called(0, 2), ran(3, 4, "a.py")]))
    assert [(event.kind, event.started_at, event.time) for event in events] == [
        ("model.call", at(0), at(2)),
        ("tool.result", at(3), at(4)),
    ]
    assert all("index" not in event.data for event in events)


moments = st.floats(0, 100, allow_nan=False)


def spans(kind: type[Span]) -> st.SearchStrategy[Span]:
    make = called if kind is ModelSpan else ran
    return st.tuples(moments, moments).map(lambda pair: make(min(pair), max(pair)))


@given(
    st.lists(st.one_of(spans(ModelSpan), spans(CommandSpan)), max_size=12),
    st.lists(
        st.one_of(
            st.builds(answer, st.one_of(st.none(), moments), st.just("bash")),
            st.builds(result, st.one_of(st.none(), moments), st.integers(0, 2)),
        ),
        max_size=12,
    ),
)
def test_every_span_is_one_event_and_nothing_ends_before_it_begins(
    noted: list[Span], messages: list[TrajectoryMessage]
) -> None:
    events = list(of_activity("agent1", messages, noted))
    spans_of_events = [(event.started_at, event.time) for event in events if event.started_at is not None]
    assert sorted(spans_of_events) == sorted((span.started_at, span.ended_at) for span in noted if span.started_at)
    assert all(event.started_at is None or event.started_at <= event.time for event in events)
    indexes = [event.data["index"] for event in events if "index" in event.data]
    assert indexes == [number for number, entry in enumerate(messages) if entry.time is not None]
