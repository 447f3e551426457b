"""The resolver stage: a model settles the conflicts that git leaves, one file at a time.

The model is a function from a text to a text, passed in by the caller (the runner makes it with LiteLLM at temperature 0).
Nothing here knows providers.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.merging import Settle
from cooperbench.records import Conflict

FILE_LIMIT = 200_000
"""Bytes of a conflicting file that is still shown to a model."""

_MARKER = re.compile(rb"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
_FENCED = re.compile(r"```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)

PROMPT = """Two developers changed the same file. Git could not merge it; the conflict markers show both sides.
Write the whole file so that the work of both is kept and the file is correct. Answer with the file in one fenced code block
and nothing else.

File: {path}
```
{text}
```
"""


class Resolver(NamedTuple):
    """A model that settles conflicts."""

    name: str
    """The model and its settings, as the stage records them."""
    complete: Callable[[str], str]
    """From a prompt to the answer's text."""


def settle_with(resolver: Resolver, store: GitStore) -> Settle:
    """Make the function that settles conflicts with a resolver. Those without text (deleted, binary, links) stay conflicts."""

    def settle(tree: str, conflicts: tuple[Conflict, ...]) -> str | None:
        entries = []
        for conflict in conflicts:
            settled = _settle_file(resolver, store, tree, conflict)
            if settled is None:
                return None
            entries.append(settled)
        return store.edit_tree(tree, entries)

    return settle


def _settle_file(resolver: Resolver, store: GitStore, tree: str, conflict: Conflict) -> tuple[str, str, str] | None:
    listed = store.check("ls-tree", "-z", tree, "--", conflict.path).split(b"\0")[0]
    if not conflict.regions or not listed.startswith(b"100"):
        return None
    content = store.check("cat-file", "blob", f"{tree}:{conflict.path}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    if len(content) > FILE_LIMIT:
        return None
    answer = _FENCED.search(resolver.complete(PROMPT.format(path=conflict.path, text=text)))
    if answer is None or _MARKER.search(answer.group(1).encode()):
        return None
    mode = listed.split(b" ", 1)[0].decode()
    return conflict.path, mode, store.write_blob(answer.group(1).encode())
