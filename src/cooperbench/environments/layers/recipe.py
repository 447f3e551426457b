"""What a layer is made of, as an agent file says it, and what it was made of, as its record says it."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cooperbench.errors import UsageError
from cooperbench.records import Record

Cpu = Literal["x64", "arm64"]
"""A processor, by the names that npm's packages use."""

CPUS: dict[str, Cpu] = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
"""Processors by the names of kernels and of engines."""

_EXACT = r"([0-9]|\{version\})[A-Za-z0-9.+_!{}-]*"
Version = Annotated[str, Field(pattern=f"^{_EXACT}$")]
"""An exact version: a tag such as `latest` would be another one tomorrow."""
LayerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class LayerFile(Record):
    """One file from an address."""

    url: str = Field(pattern=r"^(https?|file)://")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    path: str = Field(pattern=r"^[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*$", description="Its name in the layer.")
    executable: bool = True


class LayerRecipe(Record):
    """The packages of an agent and the program in them.

    `{version}` in a package's version stands for `version`, and `{cpu}` anywhere for the image's processor: x64 or arm64.
    """

    version: Version | None = Field(None, description="The version that `{version}` stands for.")
    npm: dict[str, Version] = Field(default_factory=dict, description="Packages of npm, each with its exact version.")
    pypi: dict[str, Version] = Field(default_factory=dict, description="Packages of PyPI, each with its exact version.")
    files: tuple[LayerFile, ...] = Field((), description="Single files, each with its SHA-256.")
    python: str = Field("3.12", pattern=r"^3\.[0-9]+$", description="The image's Python, for packages of PyPI.")
    program: str = Field(min_length=1, description="The program to start: its path in the layer, or its file's name.")

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if not (self.npm or self.pypi or self.files):
            raise ValueError("a layer needs `npm`, `pypi` or `files`")
        if self.version is None and any("{version}" in each for each in (*self.npm.values(), *self.pypi.values())):
            raise ValueError("`{version}` needs the field `version`")
        return self

    def at(self, version: str) -> "LayerRecipe":
        """Return the recipe of another version. Raises `UsageError` where it does not say which package that is."""
        if not re.fullmatch(_EXACT, version) or "{" in version:
            raise UsageError(f"{version!r} is not an exact version", subject=version, hint="write one such as 1.2.3")
        if self.version is not None:
            return self.model_copy(update={"version": version})
        names = [*self.npm, *self.pypi]
        if len(names) != 1:
            raise UsageError(
                "the agent's layer has no `version`, so another one cannot be installed",
                hint="write `version` in the agent file, and {version} at the packages that have it",
            )
        changed = dict.fromkeys(names, version)
        return self.model_copy(update={"npm" if self.npm else "pypi": changed})

    def of(self, cpu: Cpu) -> "LayerRecipe":
        """Return the recipe for a processor, without placeholders."""

        def filled(text: str) -> str:
            return text.replace("{version}", self.version or "").replace("{cpu}", cpu)

        return LayerRecipe(
            version=self.version,
            npm={filled(name): filled(version) for name, version in self.npm.items()},
            pypi={name: filled(version) for name, version in self.pypi.items()},
            files=tuple(file.model_copy(update={"url": filled(file.url)}) for file in self.files),
            python=self.python,
            program=filled(self.program),
        )

    @property
    def shown_version(self) -> str:
        """The version that people know it by."""
        versions = [self.version, *self.npm.values(), *self.pypi.values()]
        return next((version for version in versions if version), "")


class LayerPackage(Record):
    """One package of a layer, as it was fetched."""

    registry: Literal["npm", "pypi", "file"]
    name: str
    version: str
    integrity: str = Field(description="The checksum that the registry or the agent file states, as `sha512-<base64>`.")
    bytes: int = Field(description="Size of what was fetched.")


class Layer(Record):
    """A layer on this machine: read-only files that sandboxes see at `/opt/cooperbench/layers/<name>`."""

    name: LayerName
    cpu: Cpu
    version: str
    digest: str = Field(description="Content address: of the packages' checksums, the program and the processor.")
    packages: tuple[LayerPackage, ...]
    program: str = Field(description="Path of the program in the layer.")
    recipe: LayerRecipe = Field(description="What it was made from, without placeholders.")
    bytes: int = Field(description="Size on disk.")

    @property
    def place(self) -> str:
        """The layer's folder in a sandbox."""
        return f"{LAYERS}/{self.name}"

    @property
    def program_path(self) -> str:
        """The program's path in a sandbox."""
        return f"{self.place}/{self.program}"


LAYERS = "/opt/cooperbench/layers"
"""The folder of a sandbox that holds its layers."""
