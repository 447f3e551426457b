"""Restore what `go.mod` says about other copies of modules, and about the toolchain."""

import re

_DIRECTIVES = "replace|toolchain|godebug|tool|exclude|ignore"
_LINES = re.compile(
    rf"^[ \t]*(?:{_DIRECTIVES})[ \t]*\(.*?^[ \t]*\)[^\n]*\n?|^[ \t]*(?:{_DIRECTIVES})[ \t][^\n(]*\n?",
    re.MULTILINE | re.DOTALL,
)


def restore_go_mod(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's replacements: another module in the place of one that tests assert with would be asked."""
    before, after = base.decode(), submitted.decode()
    replaced = _LINES.findall(before)
    if replaced == _LINES.findall(after):
        return None
    kept = _LINES.sub("", after).rstrip("\n")
    return "\n".join([kept, *(part.rstrip("\n") for part in replaced), ""]).encode()
