"""The file that describes a command-line agent, as data: ten lines of YAML that users can write.

    name: my_cli
    summary: My own agent
    layer: {npm: {"my-cli-linux-{cpu}": "1.2.3"}, program: my-cli}
    dialect: chat
    command: "{program} run --json --model {model}"
    stdin: task
    env: {OPENAI_BASE_URL: "{address}/v1", OPENAI_API_KEY: placeholder}
    events: jsonl
    succeeded: {exit: 0}

Placeholders stand in `command`, `env` and `files`; other braces stay as they are.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cooperbench.agents.command_line.formats import FORMATS
from cooperbench.agents.reading import read_yaml
from cooperbench.environments.layers import LayerRecipe
from cooperbench.errors import suggestion
from cooperbench.records import Record

PLACEHOLDERS = {
    "address": "base address of the model gateway, such as http://127.0.0.1:41234",
    "home": "home folder in the sandbox",
    "layer": "folder of the agent's layer in the sandbox",
    "mcp": "the text of the field `mcp` for a member with teammates; empty for one that works alone",
    "model": "name of the model",
    "program": "the program's path in the sandbox",
    "task": "path of a file with the task",
}
_PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+)\}")


def _check_placeholders(text: str) -> str:
    for name in _PLACEHOLDER.findall(text):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{name}}}{suggestion(name, PLACEHOLDERS, '')}; known are {known}")
    return text


def _check_events(name: str) -> str:
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}{suggestion(name, FORMATS, '')}; known are {', '.join(FORMATS)}")
    return name


Template = Annotated[str, AfterValidator(_check_placeholders)]


class Success(Record):
    """How the end of a program is judged."""

    exit: int | tuple[int, ...] = Field(0, description="Exit codes that mean that the work is done.")

    def has(self, code: int) -> bool:
        """Return whether an exit code means success."""
        return code in ((self.exit,) if isinstance(self.exit, int) else self.exit)


class AgentFile(Record):
    """A command-line agent."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = Field(description="Name for -a.")
    summary: str = Field("", description="One line about it.")
    layer: LayerRecipe | None = Field(None, description="Absent for a program that is in the image.")
    dialect: Literal["anthropic", "chat", "gemini", "responses"] = Field(
        description="The API that it speaks to a model."
    )
    command: Template = Field(min_length=1, description="Shell command that starts it.")
    stdin: Literal["task", "nothing"] = Field("nothing", description="`task` gives it the task on its standard input.")
    env: dict[str, Template] = Field(default_factory=dict, description="Environment variables.")
    files: dict[str, Template] = Field(
        default_factory=dict, description="Files to write first, by path; `~/` is the home folder."
    )
    mcp: str = Field(
        "", description="Text for {mcp}: how the program's configuration names the MCP server `coop mcp`, over stdio."
    )
    events: Annotated[str, AfterValidator(_check_events)] = Field("text", description="Format of its standard output.")
    succeeded: Success = Field(Success(), description="How its end is judged.")
    messages: Literal["hook", "tool_result"] = Field(
        "tool_result",
        description="The way of teammates' messages: `hook` for a program that has one set up in `files` or `env`; else they "
        "are put to the next tool result.",
    )

    @model_validator(mode="after")
    def _needs_program(self) -> Self:
        if self.layer is None and "{program}" in self.command:
            raise ValueError("`command` names {program}, but there is no `layer` that has one")
        return self


def read_agent_file(path: Path) -> AgentFile:
    """Read and check a file. Raises `UsageError` in one line that names the file, the field and the remedy."""
    return read_yaml(
        "agent file", AgentFile, path, hint="write versions and numbers in quotes; see docs: command-line agents"
    )


def filled(template: str, values: Mapping[str, str], *, shell: bool = False) -> str:
    """Fill the placeholders of a template, quoted for a shell if it is a command."""

    def value(found: re.Match[str]) -> str:
        given = values[found[1]]
        return shlex.quote(given) if shell else given

    return _PLACEHOLDER.sub(value, template)
