"""When a runner's installation step can be left out: where it was seen to change nothing, and the submission cannot change that.

Most runners install again before they test, from the network, although the image has everything installed: on two real Python
tasks this was 1.9 of 2.5 seconds of a suite. For each image the evaluator lets the runner install once and compares
everything that is installed, file by file, before and after. Where nothing changed, and a submission touches nothing that an
installation reads, the installer is answered by "already installed". One module for each family of installers.
"""

import re
from collections.abc import Sequence

from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.installers.installer import Installer
from cooperbench.evaluation.installers.node import Node
from cooperbench.evaluation.installers.pip import Pip

__all__ = ["INSTALLERS", "Installer", "changed_files", "installers_of", "reads_of_installation"]

INSTALLERS: tuple[Installer, ...] = (Pip(), Node())


def installers_of(runner: bytes) -> Sequence[Installer]:
    """The installers that a `runner.sh` calls."""
    text = re.sub(rb"(?m)^\s*#.*$", b"", runner)
    return [installer for installer in INSTALLERS if installer.calls.search(text)]


def reads_of_installation(installers: Sequence[Installer], store: GitStore, base: str, tree: str) -> list[str]:
    """What changed from `base` to `tree` that one of the installers could read."""
    return [read for installer in installers for read in installer.reads(store, base, tree)]


def changed_files(before: bytes, after: bytes) -> Sequence[str]:
    """The files in which two fingerprints differ."""
    differing = set(before.splitlines()) ^ set(after.splitlines())
    return sorted({line.split(b" ", 1)[-1].decode("utf-8", "replace") for line in differing})
