"""`conversation.json`: the messages of an episode in the order of the broker."""

from pydantic import ConfigDict, Field, RootModel

from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime


class ConversationMessage(Record):
    """One message and what became of it."""

    # `from` is a keyword in Python and the documented key in the file.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    sender: AgentId = Field(alias="from")
    to: str = Field(description="The member it was meant for; of a refused one, whatever name the sender wrote.")
    message: str
    timestamp: UtcTime
    feature_id: FeatureId | None = Field(None, description="The sender's (first) feature.")
    sequence: int = Field(ge=0, description="Position in the broker's log of this episode.")
    id: str
    reply_to: str | None = None
    delivered: bool = True
    read_at: UtcTime | None = None
    refused: str | None = Field(None, description="Why it was not accepted.")


class Conversation(RootModel[tuple[ConversationMessage, ...]]):
    """The whole file."""

    model_config = ConfigDict(defer_build=True)
