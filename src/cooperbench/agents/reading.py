"""Read what users and agents wrote: settings that may be wrong, and objects that may have no text."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from cooperbench.errors import UsageError, suggestion
from cooperbench.records import first_error

Model = TypeVar("Model", bound=BaseModel)


def safe_text(value: object) -> str:
    """Return `str(value)`, whatever its `__str__` does."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: its __str__ raises {type(error).__name__}>"


def one_line(text: str, limit: int = 200) -> str:
    """Put `text` on one line, cut it after `limit` characters, and make it encodable."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def read_section(name: str, kind: type[Model], values: object, *, hint: str = "") -> Model:
    """Validate the section `name` of an agent's configuration. Raises `UsageError` that names the wrong field."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        place, message = first_error(error)
        known = f"known are {', '.join(sorted(kind.model_fields))}{hint}"
        if error.errors()[0]["type"] == "extra_forbidden":
            message = f"unknown key{suggestion(place, kind.model_fields, '')}"
        raise UsageError(
            f"`{name}.{place}` in the agent's configuration: {message}", subject=place, hint=known
        ) from error


def read_yaml(what: str, kind: type[Model], path: Path, *, hint: str | None = None) -> Model:
    """Read and validate a YAML or JSON file of the user. Raises `UsageError` that names the file and the first error."""
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the {what} {path}: {reason}", subject=str(path)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"the {what} {path} is not YAML: {one_line(str(error))}", subject=str(path)) from error
    except ValidationError as error:
        place, message = first_error(error)
        text = f"the {what} {path} is wrong at {place or 'the file'}: {message}"
        raise UsageError(text, subject=str(path), hint=hint) from error
