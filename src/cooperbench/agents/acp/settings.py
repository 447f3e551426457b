"""The configuration of `acp:COMMAND`: what the program finds in its sandbox."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from cooperbench.agents.reading import read_section
from cooperbench.environments.layers import installed, pinned
from cooperbench.errors import UsageError, suggestion
from cooperbench.records import Record

SECTION = "acp"
_OTHERS = ("backend", "init", "model", "side_model")
"""Keys of the configuration that are read elsewhere."""
PROVIDERS = {
    "ANTHROPIC_BASE_URL": "{address}",
    "ANTHROPIC_API_KEY": "placeholder",
    "ANTHROPIC_MODEL": "{model}",
    "GEMINI_API_KEY": "placeholder",
    "GEMINI_MODEL": "{model}",
    "GOOGLE_GEMINI_BASE_URL": "{address}",
    "OPENAI_API_KEY": "placeholder",
    "OPENAI_BASE_URL": "{address}/v1",
    "OPENAI_MODEL": "{model}",
    "NO_PROXY": "127.0.0.1,localhost",
}
"""The variables by which most programs are pointed to a model. The key is made up: the gateway has the real one."""


class AcpSettings(Record):
    """Settings of an agent that speaks the protocol."""

    env: dict[str, str] = Field(
        default_factory=dict, description="Variables of the program; {address} and {model} are those of the gateway."
    )
    layers: tuple[str, ...] = Field((), description="Installed agents whose programs it may use.")
    mode: str | None = Field(None, description="Mode of the session, as the agent names it.")

    def variables(self, address: str, model: str) -> dict[str, str]:
        """Return the variables of the program."""
        given = {**PROVIDERS, **self.env}
        return {name: text.replace("{address}", address).replace("{model}", model) for name, text in given.items()}

    def check_layers(self) -> None:
        """Raise `UsageError` with the command that installs what is missing."""
        for name in self.layers:
            installed(name)

    def folders(self, shown: Mapping[str, str]) -> Iterator[str]:
        """Yield the folders of the sandbox in which the programs of the layers are. `shown` are the sandbox's pins."""
        for name in self.layers:
            yield posixpath.dirname(pinned(name, shown[name]).program_path)


def read_settings(config: dict[str, Any] | None) -> AcpSettings:
    """Read the section `acp` of the configuration. Raises `UsageError` that names the wrong key."""
    known = (SECTION, *_OTHERS)
    if unknown := sorted(set(config or {}) - set(known)):
        raise UsageError(
            f"unknown section {unknown[0]!r} in the configuration of acp{suggestion(unknown[0], known, '')}",
            subject=unknown[0],
            hint=f"known are {', '.join(known)}",
        )
    return read_section(SECTION, AcpSettings, (config or {}).get(SECTION) or {})
