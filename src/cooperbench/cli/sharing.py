"""Options of commands that work on a run beside other processes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cooperbench.cli.options import YEAR, Amount

if TYPE_CHECKING:
    from cooperbench.environments import Check
    from cooperbench.runner import ClaimOptions, Observer, Plan, RunResult, SessionOptions
    from cooperbench.runner.ray.running import RayOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def _read_shard(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    number, _, parts = value.partition("/")
    if not number.isdecimal() or not parts.isdecimal() or not 1 <= int(number) <= int(parts):
        raise click.BadParameter(f"{value!r} is not a part such as 3/16, the third of sixteen", context, option)
    return int(number), int(parts)


def sharing_options(command: Command) -> Command:
    """Add `--claim`, `--shard`, `--claim-patience`, `--executor` and `--ray-address`."""
    for option in reversed(
        (
            click.option(
                "--claim",
                is_flag=True,
                help="Share the run with other processes that use the same log directory, on any machine: each takes "
                "episodes one by one until all are finished.",
            ),
            click.option(
                "--shard",
                metavar="K/N",
                callback=_read_shard,
                help="Share the run, and take only the K-th of N parts of its episodes.",
            ),
            click.option(
                "--claim-patience",
                type=Amount(0, YEAR, min_open=True),
                metavar="SECONDS",
                help="Seconds without a sign of life after which others take over an episode.  [default: 90]",
            ),
            click.option(
                "--executor",
                type=click.Choice(["local", "ray"]),
                default="local",
                show_default=True,
                help="Where episodes run: on this machine, or on the nodes of a Ray cluster, --concurrency of them altogether.",
            ),
            click.option(
                "--ray-address",
                metavar="HOST:PORT",
                help="Head of the Ray cluster.  [default: the cluster that this machine is a node of]",
            ),
        )
    ):
        command = option(command)
    return command


def claim_options(values: dict[str, Any]) -> "ClaimOptions | None":
    """Return how the run is shared; `None` when this process has it alone. Raises `UsageError` for options that do not fit."""
    from cooperbench.errors import UsageError
    from cooperbench.runner import ClaimOptions

    claim, shard, patience = values["claim"], values["shard"], values["claim_patience"]
    if not claim and shard is None and (patience is None or values["executor"] != "ray"):
        if patience is not None:
            raise UsageError(
                "--claim-patience is about a run that is shared", subject="claim_patience", hint="add --claim"
            )
        return None
    return ClaimOptions(shard=shard) if patience is None else ClaimOptions(patience, shard)


def ray_options(values: dict[str, Any], *, all_at_once: bool) -> "RayOptions | None":
    """Return which cluster works on the run; `None` when this machine does. Raises `UsageError` for options that do not fit."""
    from cooperbench.errors import UsageError
    from cooperbench.runner.ray.running import RayOptions

    address = values["ray_address"]
    if values["executor"] == "ray":
        return RayOptions(address or "auto", all_at_once)
    if address is not None:
        raise UsageError("--ray-address is about --executor ray", subject="ray_address", hint="add --executor ray")
    return None


def carry_out(plan: "Plan", options: "SessionOptions", observer: "Observer", ray: "RayOptions | None") -> "RunResult":
    """Run a plan on this machine, or on a cluster."""
    from cooperbench.runner import execute
    from cooperbench.runner.ray.running import execute_on_ray

    return execute(plan, options, observer) if ray is None else execute_on_ray(plan, options, observer, ray)


def cluster_checks(plan: "Plan", options: "SessionOptions", ray: "RayOptions | None") -> "list[Check]":
    """Return what a dry run says about the cluster; nothing without one."""
    from cooperbench.runner.ray.running import check_cluster

    return [] if ray is None else [check_cluster(plan, options, ray)]


def scheduler_checks() -> "list[Check]":
    """Return which schedulers of several machines can be used from here. A run on one machine needs none."""
    from importlib.util import find_spec
    from shutil import which

    from cooperbench._installation import install_command
    from cooperbench.environments import Check

    slurm, ray = which("sbatch"), find_spec("ray")
    return [
        Check(
            name="slurm",
            ok=slurm is not None,
            detail=slurm or "sbatch is not installed",
            fix=None if slurm else "run this on a machine of the cluster",
            required=False,
        ),
        Check(
            name="ray",
            ok=ray is not None,
            detail="installed" if ray else "the extra 'ray' is not installed",
            fix=None if ray else install_command("ray"),
            required=False,
        ),
    ]
