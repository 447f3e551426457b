"""The parts of a page as JSON, without secrets."""

import json
from collections.abc import Mapping

from cooperbench.records import Record
from cooperbench.records.secrets import scrubbed
from cooperbench.viewer.details import EpisodeParts

PAGE = "page"
"""The name of the part that a page reads first. The others are `agent1.0`, `agent1.1`, …"""


def episode_parts(parts: EpisodeParts, prefix: str = "") -> Mapping[str, bytes]:
    """Return the parts of an episode's page by name, each as JSON. `prefix` tells two episodes on one page apart."""
    named = {PAGE: to_json(parts.page)}
    return {
        f"{prefix}{name}": data
        for name, data in {**named, **{f"{c.agent_id}.{c.chunk}": to_json(c) for c in parts.chunks}}.items()
    }


def to_json(record: Record) -> bytes:
    """Return a record as JSON without its defaults and without what looks like a secret, as in packages of runs."""
    values = record.model_dump(mode="json", exclude_defaults=True)
    # Escaped, because texts of agents hold half characters that UTF-8 has no place for.
    return scrubbed(json.dumps(values, separators=(",", ":")).encode())[0]
