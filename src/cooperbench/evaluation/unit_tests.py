"""Unit tests that stand inside sources, as Rust has them: hidden tests come there, and what else the file says is the work.

Where hidden tests change such a file, its `#[cfg(test)] mod` keeps the base's content, as test files do: a member's own unit tests at that
place would make the hidden ones impossible to apply. The rest of the file stays.
"""

import re
from pathlib import PurePosixPath

# From the attribute to the first brace at the beginning of a line, which is where rustfmt closes the module.
_MODULE = re.compile(
    rb"^#\[cfg\(test\)\]\s*\n(?:#\[[^\n]*\]\s*\n)*(?:pub(?:\([^)]*\))? )?mod \w+ \{\n.*?^\}\n?", re.M | re.S
)


def holds_unit_tests(path: str) -> bool:
    """Whether hidden tests at this path are unit tests inside a source, not a file of their own."""
    parts = PurePosixPath(path).parts
    return path.endswith(".rs") and "tests" not in parts[:-1] and parts[-1] not in ("tests.rs", "test.rs")


def restore_unit_tests(base: bytes, submitted: bytes) -> bytes | None:
    """The file with the base's test module; `None` when the submission left that alone."""
    before, after = _MODULE.search(base), _MODULE.search(submitted)
    old = before.group() if before else b""
    if after is None:
        return None if before is None else submitted.rstrip(b"\n") + b"\n\n" + old
    if after.group() == old:
        return None
    kept = submitted[: after.start()], submitted[after.end() :]
    return b"".join((kept[0], old, kept[1])) if before else kept[0].rstrip(b"\n") + b"\n" + kept[1]
