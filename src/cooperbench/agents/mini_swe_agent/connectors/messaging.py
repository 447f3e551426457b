"""The documented import path of `MessagingConnector`."""

from cooperbench.collaboration.mailbox import MessagingConnector

__all__ = ["MessagingConnector"]
