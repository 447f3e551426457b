"""`cooperbench doctor`."""

from typing import TYPE_CHECKING

import click

from cooperbench.cli.layers import layer_checks
from cooperbench.cli.options import json_option, load_environment_file
from cooperbench.cli.output import check_lines, console, print_json
from cooperbench.cli.sharing import scheduler_checks

if TYPE_CHECKING:
    from cooperbench.environments import Check, Readiness


@click.command("doctor")
@click.option("--backend", "backends", metavar="NAME", multiple=True, help="Check only this backend; repeatable.")
@click.option("--redis", "redis_url", metavar="URL", help="Check this server instead of an embedded one.")
@click.option(
    "--image", metavar="IMAGE", help="Send a message from a sandbox of this image.  [default: a demo image, on local]"
)
@json_option
def command(backends: tuple[str, ...], redis_url: str | None, image: str | None, as_json: bool) -> int:
    """Check whether each backend is ready, and show the command that fixes what is missing.

    The exit code is 1 when a named backend (or, if none is named, every backend) is not ready, or when messages do not
    get through.
    """
    from cooperbench.environments import backend_names, readiness

    load_environment_file()
    found = [readiness(name) for name in backends or backend_names()]
    messages, agents, machines = [_mailbox(redis_url)], layer_checks(), scheduler_checks()
    if messages[0].ok:
        messages += [_round_trip(one.backend, image, redis_url) for one in found if one.ready and _tries(one, image)]
    if as_json:
        print_json(
            {
                "backends": [one.model_dump(mode="json") for one in found],
                "messages": [check.model_dump(mode="json") for check in messages],
                "agents": [check.model_dump(mode="json") for check in agents],
                "machines": [check.model_dump(mode="json") for check in machines],
            }
        )
    else:
        _show(found, messages, agents, machines)
    usable = all(one.ready for one in found) if backends else any(one.ready for one in found)
    return 0 if usable and all(check.ok for check in messages) else 1


def _tries(readiness: "Readiness", image: str | None) -> bool:
    """Return whether to try this backend: a bundled image where that is free, else one that was named.

    Elsewhere a sandbox may cost a pull or money.
    """
    from cooperbench.environments import get_backend

    return get_backend(readiness.backend).tries_bundled_image == (image is None)


def _mailbox(url: str | None) -> "Check":
    from cooperbench.collaboration import open_broker
    from cooperbench.environments import Check
    from cooperbench.errors import CooperBenchError

    try:
        with open_broker(url) as broker:
            return Check(name="broker", ok=True, detail=broker.name)
    except CooperBenchError as error:
        return Check(name="broker", ok=False, detail=error.message, fix=error.hint)


def _round_trip(backend: str, image: str | None, url: str | None) -> "Check":
    """Send a message from inside a sandbox, as an agent does."""
    from cooperbench.collaboration import TeamAccess, connect, open_broker
    from cooperbench.environments import Check, EnvironmentOptions, SandboxLabels, ensure_image, open_environment
    from cooperbench.errors import CooperBenchError
    from cooperbench.tasks import discover_tasks

    name = f"message from inside {backend}"
    labels = SandboxLabels(run="doctor", episode="doctor", agent_id="agent1")
    agents = ("agent1", "agent2")
    try:
        if image is None:
            recipe = discover_tasks(subset="demo")[0].recipe
            ensure_image(backend, recipe)
            image = recipe.name
        options = EnvironmentOptions(cwd="/", lifetime=120, network="none")
        with open_broker(url) as broker, open_environment(backend, image, options=options, labels=labels) as sandbox:
            addresses = broker.open_episode("doctor", agents)
            try:
                bridge = connect(sandbox, TeamAccess(agent_id="agent1", agents=agents, comm_url=addresses["agent1"]))
                sent = sandbox.execute("coop send agent2 'are you there?'", timeout=20)
                bridge.close()
            finally:
                broker.close_episode("doctor")
        ok = sent["returncode"] == 0
        return Check(name=name, ok=ok, detail=f"{sent['output'].strip()} ({sandbox.isolation}, network off)")
    except CooperBenchError as error:
        return Check(name=name, ok=False, detail=error.message, fix=error.hint)


def _show(found: list["Readiness"], messages: list["Check"], agents: list["Check"], machines: list["Check"]) -> None:
    out = console()
    for one in found:
        out.print(f"{one.backend}: " + ("ready" if one.ready else "not ready"), markup=False)
        out.print("\n".join(check_lines(one.checks)), markup=False)
    out.print("messages:")
    out.print("\n".join(check_lines(messages)), markup=False)
    out.print("agents with a program of their own:")
    out.print("\n".join(check_lines(agents)), markup=False)
    out.print("more than one machine:")
    out.print("\n".join(check_lines(machines)), markup=False)
