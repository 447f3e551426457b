"""Patches in other languages that do nothing of what was asked and try to pass: what runs, prints, writes or replaces instead."""

from dataclasses import dataclass

from tests.evaluation.trees import Files


@dataclass(frozen=True)
class Attack:
    """Files that a patch writes. The hidden tests of `feature` run on it."""

    files: Files
    feature: int = 1
    exits_well: bool = True
    """Whether the runner ends with exit code 0, so that who looks at that, or at what was printed, would let it pass."""
    lies: bool = False
    """True if the files and the process look honest, so that only broken tests show it."""
