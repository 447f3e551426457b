"""JSON schemas of the record, made from its models: `python -m cooperbench.records.schemas docs/schemas`."""

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from cooperbench.records.conversation import Conversation
from cooperbench.records.episode import EpisodeResult
from cooperbench.records.events import Event, event_schema
from cooperbench.records.files import write_bytes
from cooperbench.records.labels import Label
from cooperbench.records.published import BundleManifest, PublishedResult, Verification
from cooperbench.records.replay import ReplayReport
from cooperbench.records.run import RunConfig, RunSummary
from cooperbench.records.trajectory import Trajectory
from cooperbench.records.verdict import Evaluation

RECORDS: dict[str, type[BaseModel]] = {
    "config": RunConfig,
    "summary": RunSummary,
    "result": EpisodeResult,
    "trajectory": Trajectory,
    "eval": Evaluation,
    "event": Event,
    "conversation": Conversation,
    "label": Label,
    "replay": ReplayReport,
    "submission": PublishedResult,
    "manifest": BundleManifest,
    "verification": Verification,
}


def schemas() -> dict[str, str]:
    """Return the text of each schema file by its name."""
    made = {name: model.model_json_schema(mode="serialization") for name, model in RECORDS.items()}
    made["event"] = event_schema()
    return {f"{name}.schema.json": json.dumps(schema, indent=2) + "\n" for name, schema in made.items()}


def main() -> None:
    """Write the schemas into the folder named on the command line."""
    for name, text in schemas().items():
        write_bytes(Path(sys.argv[1]) / name, text.encode())


if __name__ == "__main__":
    main()
