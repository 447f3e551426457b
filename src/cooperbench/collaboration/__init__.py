"""How teammates meet: mailbox, shared git remote, task board, and what is put into a sandbox for them."""

from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.collaboration.channel import ChannelPolicy, DeliverAsIs, Fate
from cooperbench.collaboration.conversation import read_conversation, read_events
from cooperbench.collaboration.line import Call, Handler, Line, Reply, Service
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import ReceivedMessage
from cooperbench.collaboration.presence import Presence, Teammate, mark_finished, mark_working, note_push
from cooperbench.collaboration.seat import Seat, connect

__all__ = [
    "Broker",
    "Call",
    "ChannelPolicy",
    "DeliverAsIs",
    "Fate",
    "Handler",
    "Line",
    "MessagingConnector",
    "Presence",
    "ReceivedMessage",
    "Reply",
    "Seat",
    "Service",
    "Teammate",
    "connect",
    "mark_finished",
    "mark_working",
    "note_push",
    "open_broker",
    "read_conversation",
    "read_events",
]
