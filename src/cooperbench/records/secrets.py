"""Finding and replacing keys and passwords in what is recorded or shared."""

import os
import re
from collections.abc import Iterator
from typing import Any

# Keys of the usual providers, and passwords in addresses. Agents may print them in spite of everything. Each pattern begins with a fixed
# text: as one pattern of alternatives they took 3.1 ms for 130 kB, one after the other they take 0.9 ms.
_KEYS = (
    rb"sk-[A-Za-z0-9_-]{20,}",
    rb"AKIA[0-9A-Z]{16}",
    rb"gh[pousr]_[A-Za-z0-9]{30,}",
    rb"AIza[0-9A-Za-z_-]{35}",
    rb"hf_[A-Za-z0-9]{30,}",
    rb"xox[abpr]-[A-Za-z0-9-]{20,}",
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----",
)
_PASSWORDS = (
    rb"(://)[^/\s:@\"\\]+:[^/\s:@\"\\]+(?=@)",
    rb"(\?api_key=|&api_key=)[^&\s\"\\]+",
)
"""With a group for what stays."""
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
    found = 0
    for pattern in (*_known_secrets(), *_KEYS):
        data, number = re.subn(pattern, b"***", data)
        found += number
    for pattern in _PASSWORDS:
        data, number = re.subn(pattern, rb"\1***", data)
        found += number
    return data, found


def without_secrets(text: str) -> str:
    """Return `text` with everything that looks like a secret replaced."""
    return scrubbed(text.encode("utf-8", "surrogatepass"))[0].decode("utf-8", "surrogatepass")


def holds_key(data: bytes) -> bool:
    """Return true if there is a key in it. Passwords in addresses do not count: they are common in tests."""
    return any(re.search(pattern, data) for pattern in (*_KEYS, *_known_secrets()))


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
