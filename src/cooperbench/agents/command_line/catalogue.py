"""Find the files of command-line agents: those of the user's folder, and the built-in ones."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cooperbench.agents.command_line.agent_file import AgentFile, read_agent_file
from cooperbench.agents.result import AgentRunner
from cooperbench.errors import UsageError

AGENTS_DIR = "COOPERBENCH_AGENTS_DIR"
"""Environment variable: a folder with files of agents, or several, separated as in PATH."""
BUILT_IN_FILES = Path(__file__).parent / "built_in"
SUFFIX = ".yaml"
SUFFIXES = (SUFFIX, ".yml")


class FoundAgentFile(NamedTuple):
    """A file that describes an agent, named as the agent."""

    path: Path
    origin: str
    """`built-in`, or the variable that names its folder."""

    def read(self) -> AgentFile:
        """Read it. Raises `UsageError`."""
        file = read_agent_file(self.path)
        if file.name != self.path.stem:
            raise UsageError(
                f"the agent file {self.path} names its agent {file.name!r}",
                subject=str(self.path),
                hint=f"call the file {file.name}{self.path.suffix}, or write name: {self.path.stem}",
            )
        return file

    def factory(self) -> Callable[..., AgentRunner]:
        """Return what makes the agent. Raises `UsageError` when the file is wrong."""
        return command_line_agent(self.path, self.read())


def users_files() -> dict[str, FoundAgentFile]:
    """Return the files in the user's folders, by the agent's name. Raises `UsageError` for a folder that is not there."""
    found: dict[str, FoundAgentFile] = {}
    for name in filter(None, os.environ.get(AGENTS_DIR, "").split(os.pathsep)):
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise UsageError(
                f"there is no folder {name}, which {AGENTS_DIR} names",
                subject=name,
                hint="cooperbench agents new my_cli --cli writes one",
            )
        for path in sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES):
            if path.stem in found:
                raise UsageError(
                    f"two files describe the agent {path.stem!r}: {found[path.stem].path} and {path}",
                    subject=path.stem,
                    hint="rename one of them, and the agent in it",
                )
            found[path.stem] = FoundAgentFile(path, AGENTS_DIR)
    return found


def built_in_files() -> dict[str, FoundAgentFile]:
    """Return the files that ship with CooperBench, by the agent's name."""
    return {path.stem: FoundAgentFile(path, "built-in") for path in sorted(BUILT_IN_FILES.glob(f"*{SUFFIX}"))}


def agent_file_names() -> set[str]:
    """Return the names of all agents that a file describes. Raises `UsageError` for a folder that is not there."""
    return {*users_files(), *built_in_files()}


def agent_file_of(name: str, *, taken: bool) -> FoundAgentFile | None:
    """Return the file of an agent: the user's, or the built-in one unless the name is `taken` by something installed."""
    return users_files().get(name) or (None if taken else built_in_files().get(name))


def command_line_agent(path: Path, file: AgentFile | None = None) -> Callable[..., AgentRunner]:
    """Return what makes the agent that a file describes. An entry point may name it: `my_cli = "my_package:my_cli"`."""
    described = file or read_agent_file(path)

    def make() -> AgentRunner:
        from cooperbench.agents.command_line.runner import CommandLineAgent  # brings sessions and the gateway with it

        return CommandLineAgent(described)

    make.__doc__ = described.summary
    return make
