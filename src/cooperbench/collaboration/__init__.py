"""How teammates meet: mailbox, shared git remote, task board, and what is put into a sandbox for them."""

from cooperbench.collaboration.board import BoardEvent, BoardTask, TaskBoard, read_board
from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.collaboration.calls import Call, Handler, Reply, Service
from cooperbench.collaboration.capabilities import TeamCapability, capabilities_of
from cooperbench.collaboration.channel import ChannelPolicy, DeliverAsIs, Fate
from cooperbench.collaboration.conversation import read_conversation, read_events
from cooperbench.collaboration.git import GitConnector
from cooperbench.collaboration.git_events import GitEvent, RefChange
from cooperbench.collaboration.git_server import GitServer
from cooperbench.collaboration.leftovers import left_mailboxes, remove_mailbox
from cooperbench.collaboration.line import Line
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import ReceivedMessage
from cooperbench.collaboration.presence import Presence, Teammate, mark_finished, mark_working, note_push
from cooperbench.collaboration.prompts import render_task, templates_digest
from cooperbench.collaboration.seat import Seat, connect

__all__ = [
    "BoardEvent",
    "BoardTask",
    "Broker",
    "Call",
    "ChannelPolicy",
    "DeliverAsIs",
    "Fate",
    "GitConnector",
    "GitEvent",
    "GitServer",
    "Handler",
    "Line",
    "MessagingConnector",
    "Presence",
    "ReceivedMessage",
    "RefChange",
    "Reply",
    "Seat",
    "Service",
    "TaskBoard",
    "TeamCapability",
    "Teammate",
    "capabilities_of",
    "connect",
    "left_mailboxes",
    "mark_finished",
    "mark_working",
    "note_push",
    "open_broker",
    "read_board",
    "read_conversation",
    "read_events",
    "remove_mailbox",
    "render_task",
    "templates_digest",
]
