"""Reads the file that `--agent-config` names."""

from pathlib import Path
from typing import Any

import yaml

from cooperbench.errors import UsageError


def read_agent_config(path: Path) -> dict[str, Any]:
    """The configuration in a YAML or JSON file. Raises `UsageError` when it is not there, not readable, or no mapping."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no agent configuration {path}", subject=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the agent configuration {path} cannot be read: {error}", subject=str(path)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"the agent configuration {path} is not YAML: {error}", subject=str(path)) from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise UsageError(f"the agent configuration {path} is no mapping of names to values", subject=str(path))
    return found
