"""A pause before a model is asked again: the data of the event `model.wait`."""

from pydantic import Field

from cooperbench.records.base import Record, UtcTime


class ProviderWait(Record):
    """`model.wait`: a member waits for its model's provider, which refused for now, failed or did not answer."""

    until: UtcTime = Field(description="When the model is asked again.")
    kind: str = Field(description="Class of the error, such as `ModelRateLimitError`.")
    reason: str = Field(description="What the provider said, on one line.")
    attempt: int = Field(ge=2, description="Number of the attempt that follows.")
    attempts: int = Field(ge=2, description="Attempts in all.")


class ModelWait(ProviderWait):
    """Such a wait with the time at which it began."""

    time: UtcTime

    @property
    def seconds(self) -> float:
        """Length of the pause."""
        return (self.until - self.time).total_seconds()
