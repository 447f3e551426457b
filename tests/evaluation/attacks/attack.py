"""One attack: a patch that tries to pass without the work that was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.evaluation.trees import Checkout

IMPORTED = "src/shelfdb/__init__.py"
"""In Python: what every hidden test imports."""


@dataclass(frozen=True)
class Attack:
    """How a patch cheats. The hidden tests of `feature` run on it, and it must not pass."""

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    """Files that the patch writes; `None` deletes."""
    trick: str = ""
    """One sentence, where the name does not say it."""
    code: str = ""
    """Python that runs when the package is imported."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links."""
    raw: bytes = b""
    """What stands before the patch that git makes."""
    feature: int = 1
    """Of the small tasks; in Python it is always that of `test_cheating.py`."""
    exits_well: bool = True
    """Outside of Python: whether the runner ends with exit code 0, so that who looks at that, or at what was printed, would let it pass."""
    lies: bool = False
    """True if the files and the process look honest, so that only broken tests show it."""

    def patch(self, checkout: Checkout) -> bytes:
        changes: dict[str, bytes | None] = dict(self.files)
        if self.code:
            changes[IMPORTED] = (checkout.path / IMPORTED).read_bytes() + b"\n\n" + self.code.encode()
        return self.raw + (checkout.patch(changes, links=dict(self.links)) if changes or self.links else b"")


def raw_file(path: str, text: str) -> bytes:
    """A patch that adds a file under a name that no tree can hold."""
    lines = text.splitlines()
    body = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    ).encode()
