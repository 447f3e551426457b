"""Read what users and agents wrote: settings that may be wrong, and objects that may have no text."""

import math
import os
import stat
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from cooperbench.errors import UsageError, suggestion
from cooperbench.records import first_error

Model = TypeVar("Model", bound=BaseModel)

LARGEST = 10_000_000
"""Bytes of a file that a user writes. The scripts of the demo have 20,000."""
MOST_VALUES = 200_000
YAML_ERRORS = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What the package raises for a wrong file: its own error, and whatever the values of wrong tags run into."""
DEEPEST = 60
LARGEST_NUMBER = 2**63


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


def load_yaml(what: str, path: Path) -> object:
    """Load a YAML or JSON file of the user: plain values, as large as a person writes. Raises `UsageError` in one line.

    Aliases may not multiply the content (nine lines can stand for a billion entries), nor may a value hold itself.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - `is_file` hides why
            raise UsageError(f"cannot read {what} {path}: it is not a file", subject=str(path), hint="check the path")
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{what} {path} is larger than {LARGEST // 1_000_000} MB", subject=str(path))
        loaded: object = yaml.safe_load(path.read_text(encoding="utf-8"))
        _check_plain(loaded, 0, [MOST_VALUES])
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot read {what} {path}: {reason}", subject=str(path), hint="check the path") from error
    except YAML_ERRORS as error:
        reason = "its values are nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))
        raise UsageError(
            f"{what} {path} is not valid YAML: {reason}", subject=str(path), hint="fix the file"
        ) from error
    return loaded


def _check_plain(value: object, depth: int, left: list[int]) -> None:
    """Raise `ValueError` unless `value` can be written as JSON and is neither deep nor, with its aliases expanded, large."""
    left[0] -= 1
    if depth > DEEPEST or left[0] < 0:
        raise ValueError(f"it has more than {MOST_VALUES:,} values, or {DEEPEST} levels, once aliases are expanded")
    if isinstance(value, dict):
        for key, each in value.items():
            _check_plain(key, depth + 1, left)
            _check_plain(each, depth + 1, left)
    elif isinstance(value, list | tuple | set):
        for each in value:
            _check_plain(each, depth + 1, left)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number that can be recorded")
    elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise ValueError("it has a number of more than 64 bits")
    elif isinstance(value, str) and not value.isascii():
        value.encode()  # a half character is a UnicodeEncodeError, which is a ValueError
    elif isinstance(value, bytes):
        raise ValueError("binary values cannot be recorded")


def read_yaml(what: str, kind: type[Model], path: Path, *, hint: str | None = None) -> Model:
    """Read and validate a YAML or JSON file of the user. Raises `UsageError` that names the file and the first error."""
    try:
        return kind.model_validate(load_yaml(f"the {what}", path) or {})
    except ValidationError as error:
        place, message = first_error(error)
        text = f"the {what} {path} is wrong at {place or 'the file'}: {message}"
        raise UsageError(text, subject=str(path), hint=hint) from error
