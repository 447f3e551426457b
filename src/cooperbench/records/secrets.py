"""Finding and replacing keys and passwords in what is recorded or shared."""

import os
import re
from collections.abc import Iterator
from typing import Any

# Keys of the usual providers, and passwords in addresses. Agents may print them in spite of everything.
_KEYS = re.compile(
    rb"sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,}|xox[abpr]-[A-Za-z0-9-]{20,}|"
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----"
)
_PASSWORDS = re.compile(rb"(?<=://)[^/\s:@\"\\]+:[^/\s:@\"\\]+(?=@)|(?<=[?&]api_key=)[^&\s\"\\]+")
_VARIABLES = re.compile(r"(_|^)(KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_FIELDS = re.compile(r"(api_?key|password|secret|(access|auth)_token)$", re.IGNORECASE)
_SHORTEST = 8
"""Characters of a variable's value; something shorter may be an ordinary word."""
_SHORTEST_UNKNOWN = 20
"""Characters of a value that only its field's name gives away; local servers want an `api_key` such as `EMPTY`."""


def scrubbed(data: bytes) -> tuple[bytes, int]:
    """Replace everything that looks like a secret, and return the data with the number of replacements.

    Keys and passwords of this process's environment are replaced too, whatever they look like.
    """
    return _pattern(_KEYS.pattern, _PASSWORDS.pattern, *_known_secrets()).subn(b"***", data)


def without_secrets(text: str) -> str:
    """Return `text` with everything that looks like a secret replaced."""
    return scrubbed(text.encode("utf-8", "surrogatepass"))[0].decode("utf-8", "surrogatepass")


def holds_key(data: bytes) -> bool:
    """Return true if there is a key in it. Passwords in addresses do not count: they are common in tests."""
    return _pattern(_KEYS.pattern, *_known_secrets()).search(data) is not None


def secret_fields(values: Any, place: str = "") -> Iterator[str]:
    """Find the places in a configuration, such as `model.api_key`, that hold what looks like a key or a password."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from secret_fields(value, f"{place}.{name}" if place else str(name))
    elif isinstance(values, list | tuple):
        for number, value in enumerate(values):
            yield from secret_fields(value, f"{place}[{number}]")
    elif isinstance(values, str) and _is_secret(place, values):
        yield place


def _is_secret(place: str, value: str) -> bool:
    named = _FIELDS.search(place) and len(value) >= _SHORTEST_UNKNOWN and not re.search(r"[\s$/]", value)
    return bool(named) or scrubbed(value.encode())[1] > 0


def _known_secrets() -> list[bytes]:
    """Return patterns for the keys and passwords of this process's environment."""
    named = (value for name, value in os.environ.items() if _VARIABLES.search(name))
    return [re.escape(value.encode()) for value in named if len(value) >= _SHORTEST]


def _pattern(*patterns: bytes) -> "re.Pattern[bytes]":
    return re.compile(b"|".join(patterns))
