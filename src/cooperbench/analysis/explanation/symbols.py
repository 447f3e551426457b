"""Find names that one member redefined and another one newly uses: the usual cause of a clean merge that fails."""

import re
from collections.abc import Sequence

from cooperbench.analysis.explanation.models import ContestedSymbol
from cooperbench.analysis.explanation.places import Hunks, mentions_of
from cooperbench.records import ConversationMessage
from cooperbench.records.hunks import Hunk

_DEFINITION = re.compile(
    rb"^\s*(?:export\s+|default\s+|pub(?:\([^)]*\))?\s+|async\s+|static\s+|public\s+|private\s+|protected\s+|abstract\s+)*"
    rb"(?:def|class|func(?:\s*\([^)]*\))?|fn|function\*?|struct|enum|trait|interface|type|const|let|var)\s+([A-Za-z_]\w{2,})"
)
"""Definitions of Python, Go, Rust, JavaScript and TypeScript."""
_WORD = re.compile(rb"[A-Za-z_]\w{2,}")
_TOO_COMMON = frozenset(b"main test init self this new run get set main setup name value data".split())


def contested_symbols(hunks: Hunks, conversation: Sequence[ConversationMessage]) -> tuple[ContestedSymbol, ...]:
    """Find names by text alone: a name whose definition existed and was touched by one member, in lines that another one added."""
    found: dict[tuple[bytes, str, str], ContestedSymbol] = {}
    for changed_by, changes in hunks.items():
        touched = {name: hunk.path for hunk in changes for name in _touched(hunk)}
        for used_by, others in hunks.items():
            if used_by == changed_by:
                continue
            own = {name for hunk in others for name in _defined(hunk.added)}
            for hunk in others:
                for name in sorted(
                    {word for line in hunk.added for word in _WORD.findall(line)} & touched.keys() - own
                ):
                    text = name.decode()
                    symbol = ContestedSymbol(
                        name=text,
                        path=touched[name],
                        changed_by=changed_by,
                        used_by=used_by,
                        used_in=hunk.path,
                        mentions=mentions_of([text], conversation),
                    )
                    found.setdefault((name, changed_by, used_by), symbol)
    return tuple(found.values())


def _touched(hunk: Hunk) -> set[bytes]:
    """Return the names of definitions that were there before and that a hunk changes, signature or body."""
    touched: set[bytes] = set()
    current = _defined((hunk.heading,))
    for line in hunk.body.split(b"\n")[1:]:
        defined = _defined((line[1:],))
        if line.startswith((b"-", b" ")) and defined:
            current = defined
        elif line.startswith(b"+") and defined:
            current = set()  # what follows belongs to a definition that is new
            continue
        if line.startswith((b"-", b"+")) and line[1:].strip():
            touched |= current
    return touched - _TOO_COMMON


def _defined(lines: Sequence[bytes]) -> set[bytes]:
    return {match.group(1) for line in lines if (match := _DEFINITION.match(line))}
