"""`cooperbench config`: set up a cloud backend, step by step or by flags."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import json_option
from cooperbench.cli.output import check_lines, print_json
from cooperbench.cli.typed import print_next

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from cooperbench.environments import BackendSettings

YES = click.option("--yes", is_flag=True, help="Do not prompt: use flags and defaults.")
CHECK = click.option("--check/--no-check", default=True, help="Check the settings with the provider.  [default: check]")


class _ConfigGroup(click.Group):
    """A group with a command for each backend that has something to set."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from cooperbench.environments import backend_names

        return sorted([*super().list_commands(ctx), *filter(_settings_of, backend_names())])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        model = _settings_of(cmd_name)
        return None if model is None else _backend_command(model)


@click.group("config", cls=_ConfigGroup)
def command() -> None:
    """Set up a cloud backend. Settings go to a config file; secrets stay with the provider's own tool."""


@command.command("show")
@json_option
def show(as_json: bool) -> None:
    """Show the settings, and the file that holds them."""
    from cooperbench.environments import backend_names
    from cooperbench.environments.configuration import config_path, read_config

    tables = {name: read_config(name) for name in backend_names() if read_config(name)}
    if as_json:
        print_json({"path": str(config_path()), "backends": tables})
        return
    click.echo(str(config_path()))
    for name, values in tables.items():
        for key, value in values.items():
            click.echo(f"  {name}.{key} = {value}")


def _settings_of(backend: str) -> "type[BackendSettings] | None":
    from cooperbench.environments import get_backend
    from cooperbench.errors import UsageError

    try:
        return get_backend(backend).configuration
    except UsageError:  # no backend of that name, or one that cannot be loaded
        return None


def _backend_command(model: "type[BackendSettings]") -> click.Command:
    """Make the command that sets a backend's fields."""

    @YES
    @CHECK
    @json_option
    def set_up(yes: bool, check: bool, as_json: bool, **given: str | int | bool | None) -> int:
        from cooperbench.environments.configuration import read_config

        values = read_config(model.backend) | _texts(given)
        if not yes and not _texts(given) and sys.stdin.isatty():
            click.echo(model.first_steps)
            values |= _ask(model, values)
        model.resolve(values)
        return _save(
            model.backend, {name: value for name, value in values.items() if value}, check=check, as_json=as_json
        )

    options = [_flag(name, field) for name, field in model.model_fields.items()]
    made = click.command(model.backend, help=model.guide)(set_up)
    made.params[:0] = options
    return made


def _flag(name: str, field: "FieldInfo") -> click.Option:
    flag = name.replace("_", "-")
    declaration = f"--{flag}/--no-{flag}" if field.annotation is bool else f"--{flag}"
    return click.Option([declaration], type=_type(field), default=None, help=field.description)


def _type(field: "FieldInfo") -> click.IntRange | None:
    if field.annotation is not int:
        return None
    bounds = {name: getattr(limit, name) for limit in field.metadata for name in ("ge", "le") if hasattr(limit, name)}
    return click.IntRange(bounds.get("ge"), bounds.get("le"))


def _ask(model: "type[BackendSettings]", values: Mapping[str, str]) -> dict[str, str]:
    """Ask for the fields that have a prompt."""
    from cooperbench.environments import Prompt

    answers = {}
    for name, field in model.model_fields.items():
        for prompt in (mark for mark in field.metadata if isinstance(mark, Prompt)):
            default = values.get(name, None if field.is_required() else field.default)
            answer = click.prompt(prompt.text, default=default, type=_type(field), show_default=bool(default))
            answers[name] = str(answer)
    return answers


def _texts(given: Mapping[str, str | int | bool | None]) -> dict[str, str]:
    """Return the given flags in the form that the config file stores."""
    texts = {name: str(value) for name, value in given.items() if value is not None}
    return {name: value.lower() if value in ("True", "False") else value for name, value in texts.items()}


def _save(backend: str, values: dict[str, str], *, check: bool, as_json: bool) -> int:
    from cooperbench.environments import readiness
    from cooperbench.environments.configuration import write_config

    path = write_config(backend, values)
    found = readiness(backend) if check else None
    if as_json:
        facts = None if found is None else found.model_dump(mode="json")
        print_json({"path": str(path), backend: values, "readiness": facts})
    else:
        click.echo(f"saved to {path}")
        for line in check_lines(found.checks) if found is not None else ():
            click.echo(line)
        print_next(f"cooperbench doctor --backend {backend}")
    return 0 if found is None or found.ready else 1
