"""What the evaluator has to know of a tool that installs."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from cooperbench.evaluation.git import GitStore


class Installer(ABC):
    """One family of tools. The shell lines may use `$guard`, the folder of the evaluator's files in the sandbox."""

    calls: ClassVar[re.Pattern[bytes]]
    """Finds a call in a `runner.sh`."""
    fingerprint: ClassVar[str]
    """A shell command that prints a line for each installed file: its digest, a space, its path."""
    skip: ClassVar[Sequence[str]]
    """Shell lines after which the tool answers "already installed"."""

    @abstractmethod
    def reads(self, store: GitStore, base: str, tree: str) -> list[str]:
        """What changed from `base` to `tree` that an installation could read; empty when it would give what is there already."""
