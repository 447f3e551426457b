"""`cooperbench config`: set up a cloud backend, step by step or by flags."""

import sys
from collections.abc import Mapping

import click

from cooperbench.cli.options import json_option
from cooperbench.cli.output import check_lines, print_json

YES = click.option("--yes", is_flag=True, help="Do not prompt: use flags and defaults.")
CHECK = click.option("--check/--no-check", default=True, help="Check the settings with the provider.  [default: check]")


@click.group("config")
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


@command.command("gcp")
@click.option("--project-id", help="Project that owns the machines.")
@click.option("--zone", help="Zones to try in order, separated by commas.")
@click.option("--machine-type", help="Machine type, such as n2-standard-8.")
@click.option("--slots", type=click.IntRange(1, 64), help="Sandboxes per machine.")
@click.option("--disk-gb", type=click.IntRange(min=10), help="Disk size of a machine, in GB.")
@click.option("--spot/--no-spot", default=None, help="Use cheaper machines that may be preempted.")
@click.option("--private/--no-private", default=None, help="No public address: connect through the IAP tunnel.")
@click.option("--network", help="Network, such as global/networks/default.")
@click.option("--proxy-command", help="SSH proxy command; %h is the machine, %p the port.")
@click.option("--machine-lifetime", type=click.IntRange(min=120), help="Seconds until the provider deletes a machine.")
@click.option("--idle-seconds", type=click.IntRange(min=0), help="Seconds that an unused machine is kept.")
@YES
@CHECK
@json_option
def gcp(yes: bool, check: bool, as_json: bool, **given: str | int | bool | None) -> int:
    """Set up Google Cloud, which runs containers on a pool of Compute Engine machines.

    Log in with `gcloud auth application-default login`. Settings without a flag keep their value.
    """
    from cooperbench.environments.configuration import read_config
    from cooperbench.environments.gcp.settings import resolve

    values = read_config("gcp") | _texts(given)
    if _interactive(yes, given):
        click.echo("Machines are created in your own project. It needs the Compute Engine API:")
        click.echo("  gcloud services enable compute.googleapis.com --project PROJECT")
        values["project_id"] = click.prompt("Project", default=values.get("project_id"))
        values["zone"] = click.prompt("Zones to try, in order", default=resolve(values).zone)
        values["machine_type"] = click.prompt("Machine type", default=resolve(values).machine_type)
        values["slots"] = str(click.prompt("Sandboxes per machine", default=resolve(values).slots, type=int))
    resolve(values)
    return _save("gcp", values, check=check, as_json=as_json)


@command.command("modal")
@click.option("--profile", help="Profile in ~/.modal.toml; see `modal profile list`.")
@click.option("--environment", help="Environment in the Modal workspace.")
@YES
@CHECK
@json_option
def modal(yes: bool, check: bool, as_json: bool, **given: str | None) -> int:
    """Set up Modal, which runs sandboxes in its cloud.

    Log in with `modal token new`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET.
    """
    from cooperbench.environments.configuration import read_config

    values = read_config("modal") | _texts(given)
    if _interactive(yes, given):
        click.echo("Log in first, if necessary in another terminal:  modal token new")
        values["profile"] = click.prompt("Profile (empty: the active profile)", default=values.get("profile", ""))
        values["environment"] = click.prompt(
            "Environment (empty: the default)", default=values.get("environment", ""), show_default=False
        )
    return _save("modal", {name: value for name, value in values.items() if value}, check=check, as_json=as_json)


def _interactive(yes: bool, given: Mapping[str, str | int | bool | None]) -> bool:
    return not yes and not _texts(given) and sys.stdin.isatty()


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
    return 0 if found is None or found.ready else 1
