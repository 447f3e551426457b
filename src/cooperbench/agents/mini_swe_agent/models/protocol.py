"""The interface of a model, compatible with that of mini-swe-agent version 2.

A model written for that package works here, and ours work there. Messages are dictionaries of the chat completion format; what is
not for the provider lies under `extra` and never leaves this process.
"""

from typing import Any, Protocol


class Model(Protocol):
    """What the loop needs of a language model."""

    config: Any

    def query(self, messages: list[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:
        """Return the assistant's next message. `extra` holds `actions` (commands to run), `cost` and more."""
        ...

    def format_message(self, **kwargs: Any) -> dict[str, Any]:
        """Make a message from `role`, `content` and `extra`."""
        ...

    def format_observation_messages(
        self, message: dict[str, Any], outputs: list[dict[str, Any]], template_vars: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Make the messages that answer the actions of `message`; `outputs` are in the order of the actions."""
        ...

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        """What templates may use."""
        ...

    def serialize(self) -> dict[str, Any]:
        """What is recorded about the model."""
        ...
