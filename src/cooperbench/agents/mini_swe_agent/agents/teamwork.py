"""The mailbox in the loop: show messages of teammates to the model, and execute its two messaging tools."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from cooperbench.agents.mini_swe_agent.tools import SEND_MESSAGE, WAIT_FOR_MESSAGE, ToolCall
from cooperbench.collaboration.message import accepted, shown_message
from cooperbench.errors import MailboxUnavailableError, MessageRefusedError, UnknownNameError
from cooperbench.records import utc_now

EVERYBODY = "all"
DEFAULT_WAIT = 60.0
"""Seconds to wait when the model names no timeout."""


class Mailbox(Protocol):
    """The part of a `MessagingConnector` that the loop uses."""

    def send(self, to_agent: str, message: str) -> Any:
        """Send a message. Raises `MessageRefusedError`."""
        ...

    def broadcast(self, message: str) -> Any:
        """Send a message to every teammate, and return a receipt for each."""
        ...

    def receive(self) -> Sequence[Mapping[str, Any]]:
        """Return new messages without waiting."""
        ...

    def wait(self, from_: str | None = None, timeout: float | None = None) -> Sequence[Mapping[str, Any]]:
        """Wait for new messages and return them."""
        ...


class Teamwork:
    """A member's side of the conversation."""

    tools = (SEND_MESSAGE, WAIT_FOR_MESSAGE)

    def __init__(self, mailbox: Mailbox, longest_wait: float) -> None:
        self._mailbox = mailbox
        self._longest_wait = longest_wait
        self.sent: list[dict[str, Any]] = []

    def news(self) -> dict[str, Any] | None:
        """Return one message with everything that teammates sent since the last call; `None` for nothing."""
        received = self._mailbox.receive()
        if not received:
            return None
        return {"role": "user", "content": _shown(received), "extra": {"senders": _senders(received)}}

    def execute(self, call: ToolCall) -> tuple[str, list[str]]:
        """Execute a call of a messaging tool, and return its result with the senders of the messages in it."""
        tool: Callable[[dict[str, Any]], tuple[str, list[str]]]
        tool = self._send if call.name == SEND_MESSAGE.name else self._wait
        try:
            return tool(call.arguments)
        except MailboxUnavailableError:
            raise
        except (MessageRefusedError, UnknownNameError) as error:
            return str(error), []

    def _send(self, arguments: dict[str, Any]) -> tuple[str, list[str]]:
        to, text = str(arguments["to"]), str(arguments["message"])
        if to == EVERYBODY:
            receipts = self._mailbox.broadcast(text)
            answer = "; ".join(_fate(receipt) for receipt in receipts) or "There is nobody to write to."
        else:
            accepted(self._mailbox.send(to_agent=to, message=text))
            answer = f"Delivered to {to}."
        self.sent.append({"to": to, "message": text, "time": utc_now().isoformat()})
        return answer, []

    def _wait(self, arguments: dict[str, Any]) -> tuple[str, list[str]]:
        sender = arguments.get("from") or None
        given = arguments.get("timeout")
        seconds = min(DEFAULT_WAIT if given is None else float(given), self._longest_wait)
        received = self._mailbox.wait(from_=None if sender == EVERYBODY else sender, timeout=max(seconds, 0.0))
        if received:
            return _shown(received), _senders(received)
        return f"No new message from {sender or 'anybody'} within {seconds:g} seconds.", []


def _shown(received: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join(map(shown_message, received))


def _senders(received: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(message["from"]) for message in received]


def _fate(receipt: Any) -> str:
    refused = getattr(receipt, "refused", None)
    return f"{receipt.to}: {f'not delivered, {refused}' if refused else 'delivered'}"
