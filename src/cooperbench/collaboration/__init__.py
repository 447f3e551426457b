"""Teammates: mailbox, shared git remote, task board, and what a sandbox needs for them."""

from cooperbench.collaboration.board import BoardEvent, BoardTask, TaskBoard, read_board
from cooperbench.collaboration.bridge import CoopBridge
from cooperbench.collaboration.broker import Broker, open_broker, orphaned_mailboxes, remove_mailbox
from cooperbench.collaboration.connect import GitConnector, connect
from cooperbench.collaboration.conversation import read_conversation, read_events
from cooperbench.collaboration.git_server import GitServer
from cooperbench.collaboration.git_service import GitEvent
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import ChannelPolicy, DeliverAsIs, Fate, ReceivedMessage
from cooperbench.collaboration.presence import Presence, Teammate, mark_finished, mark_working, note_push
from cooperbench.collaboration.prompts import render_task, templates_digest
from cooperbench.collaboration.rpc import Call, Handler, Reply, Service
from cooperbench.collaboration.team_access import TeamAccess, TeamCapability, capabilities_of

__all__ = [
    "BoardEvent",
    "BoardTask",
    "Broker",
    "Call",
    "ChannelPolicy",
    "CoopBridge",
    "DeliverAsIs",
    "Fate",
    "GitConnector",
    "GitEvent",
    "GitServer",
    "Handler",
    "MessagingConnector",
    "Presence",
    "ReceivedMessage",
    "Reply",
    "Service",
    "TaskBoard",
    "TeamAccess",
    "TeamCapability",
    "Teammate",
    "capabilities_of",
    "connect",
    "mark_finished",
    "mark_working",
    "note_push",
    "open_broker",
    "orphaned_mailboxes",
    "read_board",
    "read_conversation",
    "read_events",
    "remove_mailbox",
    "render_task",
    "templates_digest",
]
