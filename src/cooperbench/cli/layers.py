"""`cooperbench agents install`, and what `agents list`, `agents show` and `doctor` say about the programs of agents."""

from shlex import quote
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from cooperbench.cli.images import progress_line
from cooperbench.cli.options import json_option
from cooperbench.cli.output import print_json
from cooperbench.cli.typed import print_next

if TYPE_CHECKING:
    from cooperbench.environments import Check
    from cooperbench.environments.layers import Layer, LayerRecipe


class LayerState(NamedTuple):
    """The program of an agent: what its file asks for, and what is here."""

    name: str
    recipe: "LayerRecipe"
    layer: "Layer | None"

    def words(self) -> str:
        """Say it in a few words."""
        if self.layer is None:
            return "not installed"
        return f"{self.layer.version} installed, {self.layer.bytes / 1e6:.0f} MB"

    def sources(self) -> list[str]:
        """Return where the parts come from, each with its version and, once it was fetched, its size."""
        if self.layer is not None:
            return [
                f"{part.registry}: {part.name} {part.version}".rstrip()
                + (f", {part.bytes / 1e6:.0f} MB packed" if part.bytes else "")
                for part in self.layer.packages
            ]
        from cooperbench.environments.layers import cpu_of

        recipe = self.recipe.of(cpu_of(None))
        named = [("npm", *item) for item in recipe.npm.items()] + [("pypi", *item) for item in recipe.pypi.items()]
        return [f"{registry}: {name} {version}" for registry, name, version in named] + [
            f"file: {file.url}" for file in recipe.files
        ]

    def facts(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "installed": self.layer is not None,
            "version": None if self.layer is None else self.layer.version,
            "wanted": self.recipe.shown_version,
            "digest": None if self.layer is None else self.layer.digest,
            "bytes": None if self.layer is None else self.layer.bytes,
            "packages": self.sources(),
        }


def layer_state(name: str) -> LayerState | None:
    """Return the state of an agent's program; `None` for agents that need none, or that are unusable."""
    from cooperbench.agents.registry import layer_of
    from cooperbench.environments.layers import find_layer
    from cooperbench.errors import UsageError

    try:
        recipe = layer_of(name)
    except UsageError:
        return None
    return None if recipe is None else LayerState(name, recipe, find_layer(name))


def layer_checks() -> "list[Check]":
    """Return a check for each agent with a program of its own. None of them is required."""
    from cooperbench.agents import agent_names
    from cooperbench.environments import Check
    from cooperbench.environments.layers import install_command

    found = [state for name in agent_names() if (state := layer_state(name)) is not None]
    return [
        Check(
            name=state.name,
            ok=state.layer is not None,
            detail=state.words(),
            fix=None if state.layer is not None else install_command(state.name),
            required=False,
        )
        for state in found
    ]


@click.command("install")
@click.argument("name")
@click.option("--version", metavar="VERSION", help="Version to install.  [default: the one in the agent's file]")
@click.option(
    "--cpu",
    type=click.Choice(["x64", "arm64"]),
    help="Processor of the images that it is for.  [default: this machine's]",
)
@json_option
def install(name: str, version: str | None, cpu: Literal["x64", "arm64"] | None, as_json: bool) -> None:
    """Install the program of the agent NAME, for all sandboxes.

    It is fetched once from its registry, as npm and pip are set up on this machine, checked, and kept in the cache; runs need no
    network for it. A later run uses what was installed last.
    """
    from cooperbench.agents.registry import layer_of
    from cooperbench.environments.layers import cpu_of, install_layer
    from cooperbench.errors import UsageError

    recipe = layer_of(name)
    if recipe is None:
        raise UsageError(
            f"the agent {name!r} needs no installation", subject=name, hint=f"cooperbench run -a {quote(name)}"
        )
    if version is not None:
        recipe = recipe.at(version)
    layer = install_layer(name, recipe, cpu or cpu_of(None), progress_line())
    if as_json:
        print_json(layer.model_dump(mode="json", exclude={"recipe"}))
        return
    click.echo(
        f"{name} {layer.version} for {layer.cpu} is installed: {layer.bytes / 1e6:.0f} MB, digest {layer.digest[:12]}"
    )
    print_next(f"cooperbench run -s demo -a {name} -m MODEL --git")
