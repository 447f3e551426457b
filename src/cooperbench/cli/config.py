"""`cooperbench config`: set up a cloud backend, step by step or by flags."""

import sys
from collections.abc import Mapping

import click

from cooperbench.cli.options import json_option

YES = click.option("--yes", is_flag=True, help="Ask nothing: take flags and defaults.")
CHECK = click.option("--check/--no-check", default=True, help="Ask the provider whether it works.  [default: check]")


@click.group("config")
def command() -> None:
    """Set up a cloud backend. Names are kept in a small file; secrets stay with the provider's own tool."""


@command.command("show")
@json_option
def show(as_json: bool) -> None:
    """Show what is kept, and where."""
    from cooperbench.cli.show import print_json
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
@click.option("--project-id", help="The project in which machines are made.")
@click.option("--zone", help="One zone, or several with commas in the order in which they are tried.")
@click.option("--machine-type", help="Such as n2-standard-8.")
@click.option("--slots", type=click.IntRange(1, 64), help="Environments that share one machine.")
@click.option("--disk-gb", type=click.IntRange(min=10), help="Size of a machine's disk.")
@click.option("--spot/--no-spot", default=None, help="Cheaper machines that may be taken away at any time.")
@click.option("--private/--no-private", default=None, help="Without a public address, reached through the IAP tunnel.")
@click.option("--network", help="Such as global/networks/default.")
@click.option("--proxy-command", help="How to reach a machine: %h is its address or name, %p the port.")
@click.option("--machine-lifetime", type=click.IntRange(min=120), help="Seconds until the provider deletes a machine.")
@click.option("--idle-seconds", type=click.IntRange(min=0), help="How long a machine without environments is kept.")
@YES
@CHECK
@json_option
def gcp(yes: bool, check: bool, as_json: bool, **given: str | int | bool | None) -> None:
    """Google Cloud: containers on a pool of Compute Engine machines.

    Credentials are those of `gcloud auth application-default login`. Flags that are left out keep what is set.
    """
    from cooperbench.environments.configuration import read_config
    from cooperbench.environments.gcp.settings import resolve

    values = read_config("gcp") | _texts(given)
    if _interactive(yes, given):
        click.echo("Machines are made in a project of yours, with the Compute Engine API enabled:")
        click.echo("  gcloud services enable compute.googleapis.com --project PROJECT")
        values["project_id"] = click.prompt("Project", default=values.get("project_id"))
        values["zone"] = click.prompt("Zones, in the order in which they are tried", default=resolve(values).zone)
        values["machine_type"] = click.prompt("Machine type", default=resolve(values).machine_type)
        values["slots"] = str(click.prompt("Environments on each machine", default=resolve(values).slots, type=int))
    resolve(values)
    _keep("gcp", values, check=check, as_json=as_json)


@command.command("modal")
@click.option("--profile", help="A profile of ~/.modal.toml, as `modal profile list` shows them.")
@click.option("--environment", help="The environment in the Modal workspace.")
@YES
@CHECK
@json_option
def modal(yes: bool, check: bool, as_json: bool, **given: str | None) -> None:
    """Modal: sandboxes in Modal's cloud.

    Credentials are those of `modal token new`, or MODAL_TOKEN_ID and MODAL_TOKEN_SECRET.
    """
    from cooperbench.environments.configuration import read_config

    values = read_config("modal") | _texts(given)
    if _interactive(yes, given):
        click.echo("Sign in first, in another terminal if you like:  modal token new")
        values["profile"] = click.prompt("Profile (empty: the active one)", default=values.get("profile", ""))
        values["environment"] = click.prompt(
            "Environment (empty: the default)", default=values.get("environment", ""), show_default=False
        )
    _keep("modal", {name: value for name, value in values.items() if value}, check=check, as_json=as_json)


def _interactive(yes: bool, given: Mapping[str, str | int | bool | None]) -> bool:
    return not yes and not _texts(given) and sys.stdin.isatty()


def _texts(given: Mapping[str, str | int | bool | None]) -> dict[str, str]:
    """Flags that were given, as the file keeps them."""
    texts = {name: str(value) for name, value in given.items() if value is not None}
    return {name: value.lower() if value in ("True", "False") else value for name, value in texts.items()}


def _keep(backend: str, values: dict[str, str], *, check: bool, as_json: bool) -> None:
    from cooperbench.cli.show import print_json
    from cooperbench.environments import readiness
    from cooperbench.environments.configuration import write_config

    path = write_config(backend, values)
    found = readiness(backend) if check else None
    if as_json:
        facts = None if found is None else found.model_dump(mode="json")
        print_json({"path": str(path), backend: values, "readiness": facts})
    else:
        click.echo(f"kept in {path}")
        for one in found.checks if found is not None else ():
            click.echo(f"  {'ok     ' if one.ok else 'missing'} {one.name}: {one.detail}")
            if one.fix:
                click.echo(f"          try: {one.fix}")
    if found is not None and not found.ready:
        raise SystemExit(1)
