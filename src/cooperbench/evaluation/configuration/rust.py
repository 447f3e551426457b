"""Restore what unit tests in a Rust source assert with, and unit tests themselves.

Rust keeps unit tests inside sources. Where hidden tests change such a file, its `#[cfg(test)] mod` gets the base's content, as
test files do: a member's own tests in that place would make the hidden ones impossible to apply. The rest of the file stays.
"""

import re
from pathlib import PurePosixPath

_ASSERTIONS = re.compile(rb"\bmacro_rules!\s*((?:debug_)?assert(?:_eq|_ne)?|panic|unreachable|matches)\b")
# From the attribute to the first brace at the beginning of a line, which is where rustfmt closes the module.
_TEST_MODULE = re.compile(
    rb"^#\[cfg\(test\)\]\s*\n(?:#\[[^\n]*\]\s*\n){0,20}(?:pub(?:\([^)\n]*\))? )?mod \w+ \{\n", re.MULTILINE
)
_END = re.compile(rb"^\}\n?", re.MULTILINE)


def restore_rust(base: bytes, submitted: bytes) -> bytes | None:
    """Return the base if the submission brings assertions of its own."""
    return base if set(_ASSERTIONS.findall(submitted)) - set(_ASSERTIONS.findall(base)) else None


def holds_unit_tests(path: str) -> bool:
    """Tell whether hidden tests at this path are unit tests inside a source rather than a file of their own."""
    parts = PurePosixPath(path).parts
    return path.endswith(".rs") and "tests" not in parts[:-1] and parts[-1] not in ("tests.rs", "test.rs")


def restore_unit_tests(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's test module, or `None` if the submission left that alone."""
    before, after = _test_module(base), _test_module(submitted)
    old = base[before] if before else b""
    if after is None:
        return None if before is None else submitted.rstrip(b"\n") + b"\n\n" + old
    if submitted[after] == old:
        return None
    kept = submitted[: after.start], submitted[after.stop :]
    return b"".join((kept[0], old, kept[1])) if before else kept[0].rstrip(b"\n") + b"\n" + kept[1]


def _test_module(source: bytes) -> slice | None:
    """Return where the first test module is, in time that is linear."""
    start = _TEST_MODULE.search(source)
    end = _END.search(source, start.end()) if start else None
    return slice(start.start(), end.end()) if start and end else None
