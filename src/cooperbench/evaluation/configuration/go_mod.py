"""Restore what `go.mod` says about other copies of modules, and about the toolchain."""

import re

_DIRECTIVES = "replace|toolchain|godebug|tool|exclude|ignore"
_LINE = re.compile(rf"[ \t]*(?:{_DIRECTIVES})[ \t]*(?P<block>\()?(?(block)|(?<=[ \t])\S)")
_END = re.compile(r"[ \t]*\)")


def restore_go_mod(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's replacements: another module in the place of one that tests assert with would be asked."""
    replaced, (kept, own) = _split(base.decode())[1], _split(submitted.decode())
    if replaced == own:
        return None
    return "\n".join(["".join(kept).rstrip("\n"), *(part.rstrip("\n") for part in replaced), ""]).encode()


def _split(text: str) -> tuple[list[str], list[str]]:
    """Return the lines of a file without the directives, and the directives, each with its block."""
    kept: list[str] = []
    directives: list[list[str]] = []
    inside = False
    for line in text.splitlines(keepends=True):
        found = None if inside else _LINE.match(line)
        if inside:
            directives[-1].append(line)
        elif found:
            directives.append([line])
        else:
            kept.append(line)
        inside = (inside or bool(found and found["block"])) and not _END.match(line)
    return kept, ["".join(lines) for lines in directives]
