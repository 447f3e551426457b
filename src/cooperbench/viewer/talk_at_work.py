"""The conversation of an episode at work: the broker's log comes at the end, and until then events and histories tell."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from cooperbench.records import ConversationMessage, Event
from cooperbench.records.event_details import MessageMoved, MessageRefused, MessageSent, NoticeSent
from cooperbench.viewer.clock import EpisodeClock
from cooperbench.viewer.steps import MemberSteps

_LATER = "(its text is in the record when the episode has ended)"


def conversation_so_far(
    clock: EpisodeClock, events: Sequence[Event], members: Mapping[str, MemberSteps]
) -> tuple[ConversationMessage, ...]:
    """Return the messages that events name, and before these are written those that members say they sent."""
    return _of_events(events, members) or _of_steps(clock, members)


def _of_steps(clock: EpisodeClock, members: Mapping[str, MemberSteps]) -> tuple[ConversationMessage, ...]:
    sent = [
        (step.act.begin, agent_id, details.calls[0])
        for agent_id, done in members.items()
        for step, details in zip(done.steps, done.details, strict=True)
        if step.action == "message" and details.calls
    ]
    return tuple(
        ConversationMessage(
            sender=agent_id,
            to=call.to or "?",
            message=call.text,
            timestamp=clock.zero + timedelta(seconds=begin),
            sequence=number,
            id=f"so-far-{number}",
        )
        for number, (begin, agent_id, call) in enumerate(sorted(sent, key=lambda each: each[0]))
    )


def _of_events(events: Sequence[Event], members: Mapping[str, MemberSteps]) -> tuple[ConversationMessage, ...]:
    """Return the messages that events name. The nth text that a member sent is that of its nth event."""
    texts = {agent_id: _sent_texts(steps) for agent_id, steps in members.items()}
    read = {
        details.id: event.time
        for event in events
        if event.kind == "message.read" and isinstance(details := event.details, MessageMoved)
    }
    messages = []
    for event in events:
        details = event.details
        if isinstance(details, NoticeSent) or not isinstance(details, MessageSent | MessageRefused):
            continue
        waiting = texts.get(details.sender, [])
        messages.append(
            ConversationMessage(
                sender=details.sender,
                to=details.to,
                message=waiting.pop(0) if waiting else _LATER,
                timestamp=event.time,
                sequence=details.sequence,
                id=details.id,
                read_at=read.get(details.id),
                refused=details.reason if isinstance(details, MessageRefused) else None,
            )
        )
    return tuple(messages)


def _sent_texts(steps: MemberSteps) -> list[str]:
    pairs = zip(steps.steps, steps.details, strict=True)
    return [details.calls[0].text for step, details in pairs if step.action == "message" and details.calls]
