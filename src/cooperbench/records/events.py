"""`events.jsonl`: what happened in an episode, one line each, append-only."""

from typing import Any

from pydantic import Field, ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import Record, UtcTime, first_error
from cooperbench.records.event_details import DETAILS


class Event(Record):
    """One thing that happened."""

    sequence: int = Field(ge=0, description="Order within the episode.")
    time: UtcTime = Field(description="When it happened; of what takes time, when it ended.")
    started_at: UtcTime | None = Field(None, description="When it began, if it took time and that is known.")
    kind: str = Field(description="Dotted name, a key of `DETAILS`.")
    agent_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict, description="The fields of the kind's model.")

    @property
    def seconds(self) -> float:
        """How long it took; 0 where that is not known."""
        return 0.0 if self.started_at is None else (self.time - self.started_at).total_seconds()

    @property
    def details(self) -> Record | None:
        """The data as the model of its kind; `None` for a kind that is not known here. Raises `RecordError`."""
        if self.kind not in DETAILS:
            return None
        try:
            return DETAILS[self.kind].model_validate(self.data)
        except ValidationError as error:
            place, message = first_error(error)
            raise RecordError(f"event {self.sequence}, {self.kind}: {place or 'its data'}: {message}") from error


def event_schema() -> dict[str, Any]:
    """Return the JSON schema of a line of the file: each kind has its own `data`."""
    schema = Event.model_json_schema(mode="serialization")
    definitions: dict[str, Any] = {}
    kinds = []
    for kind, model in DETAILS.items():
        made = model.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
        definitions |= made.pop("$defs", {})
        definitions[model.__name__] = made
        reference = {"$ref": f"#/$defs/{model.__name__}"}
        kinds.append(
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"properties": {"data": reference}},
            }
        )
    schema["properties"]["kind"]["enum"] = list(DETAILS)
    return {**schema, "$defs": definitions, "allOf": kinds}
