"""Run a plan on a Ray cluster, as `execute` runs one here. Ray is imported by the first call."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from cooperbench.agents.registry import offers
from cooperbench.environments import Check
from cooperbench.errors import MissingExtraError, UsageError
from cooperbench.records.run_lock import locked
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_config
from cooperbench.records.summary import read_episodes
from cooperbench.runner.dry_run import preview
from cooperbench.runner.engine.engine import SessionEnd
from cooperbench.runner.engine.observer import Observer, Silent
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.engine.shared_directory import check_file_system
from cooperbench.runner.planning.plan import Plan
from cooperbench.runner.ray.shares import RESOURCE, shares
from cooperbench.runner.running import start_afresh, sum_up

if TYPE_CHECKING:
    from cooperbench.runner.ray.cluster import ClusterNode


@dataclass(frozen=True)
class RayOptions:
    """Which cluster works on a run."""

    address: str = "auto"
    """HOST:PORT of the head, or `auto` for the cluster that this machine is a node of."""
    all_at_once: bool = False
    """Refuse a cluster that cannot run as many episodes at once as the session's `concurrency`."""


def execute_on_ray(
    plan: Plan, options: SessionOptions, observer: Observer | None = None, cluster: RayOptions | None = None
) -> RunResult:
    """Run what is not yet finished on the nodes of a cluster, evaluate it there, and return the whole run.

    Raises `UsageError`, `RunMismatchError` and `RunLockedError` before anything is started.
    """
    observer = observer or Silent()
    cluster = cluster or RayOptions()
    found = preview(plan, options)
    for note in found.notes:
        observer.note(note)
    if not options.force and not _left(plan, options):
        return sum_up(plan.directory, found.config, SessionEnd())
    _check(plan)
    with ExitStack() as stack:
        by_node = stack.enter_context(_by_node(plan, options, cluster))
        from cooperbench.runner.ray.driver import Driver

        mark = stack.enter_context(_mark(plan))
        driver = Driver(plan, options, observer, mark)
        stack.callback(driver.close)
        observer.note(f"Ray: {_size(by_node)}")
        driver.recruit(by_node)
        if options.force:
            _clear(plan)
        stack.enter_context(locked(plan.directory, shared=True))
        end = driver.run()
        config = read_config(plan.directory)
        return sum_up(plan.directory, config, end, requested_concurrency=options.concurrency)


def check_cluster(plan: Plan, options: SessionOptions, cluster: RayOptions) -> Check:
    """Return what a dry run says about the cluster."""
    try:
        _check(plan)
        with _by_node(plan, options, cluster) as by_node:
            return Check(name="Ray", ok=True, detail=_size(by_node))
    except UsageError as error:
        return Check(name="Ray", ok=False, detail=error.message, fix=error.hint)


def _left(plan: Plan, options: SessionOptions) -> bool:
    """Return whether episodes have to be run or evaluated."""
    episodes = read_episodes(plan.directory, plan.config)
    return any(each.completed is None or (options.auto_eval and each.verdict is None) for each in episodes)


def _check(plan: Plan) -> None:
    """Raise `UsageError` for what cannot work on any cluster, and without Ray."""
    for member in plan.config.team:
        if offers(member.agent, "one_at_a_time"):
            raise UsageError(
                f"agent {member.agent!r} works at this machine's terminal, and not on a cluster",
                subject=member.agent,
                hint="leave out --executor ray",
            )
    if find_spec("ray") is None:
        raise MissingExtraError("--executor ray", "ray")


@contextmanager
def _by_node(plan: Plan, options: SessionOptions, cluster: RayOptions) -> "Iterator[dict[ClusterNode, int]]":
    """Be connected to the cluster, and say how many episodes each node runs at once. Raises `UsageError`."""
    from cooperbench.runner.ray.cluster import connected, living_nodes

    with connected(cluster.address):
        nodes = living_nodes()
        members = max(len(episode.members) for episode in plan.episodes)
        rooms = [node.sandboxes // members for node in nodes]
        wanted = options.concurrency
        _check_room(rooms, wanted, members, cluster)
        given = shares(rooms, wanted)
        yield {node: share for node, share in zip(nodes, given, strict=True) if share}


def _size(by_node: "dict[ClusterNode, int]") -> str:
    return f"{sum(by_node.values())} episodes at once on {', '.join(node.name for node in by_node)}"


def _check_room(rooms: list[int], wanted: int, members: int, cluster: RayOptions) -> None:
    room, start = sum(rooms), f"ray start ... --resources='{{\"{RESOURCE}\": {8 * members}}}'"
    if not room:
        offered = f"offers the resource {RESOURCE!r}" if not rooms else f"has {RESOURCE!r} for a team of {members}"
        raise UsageError(f"no node of the cluster {offered}", subject=RESOURCE, hint=f"start nodes with: {start}")
    if cluster.all_at_once and room < wanted:
        raise UsageError(
            f"{wanted} episodes at once need {wanted * members} sandboxes, and the cluster has room for {room} episodes",
            subject="concurrency",
            hint=f"-c {room}; or start nodes with more: {start}",
        )


@contextmanager
def _mark(plan: Plan) -> Iterator[Path]:
    """Make the run directory, and a file in it that nodes must see. Raises `UsageError`."""
    directory = plan.directory.path
    check_file_system(plan.directory)
    try:
        with NamedTemporaryFile(dir=directory, prefix=".ray-check.") as mark:
            yield Path(mark.name)
    finally:
        with suppress(OSError):  # nothing was begun
            directory.rmdir()


def _clear(plan: Plan) -> None:
    """Remove the episodes and their claims before new ones are made."""
    with locked(plan.directory):
        start_afresh(plan, force=True)
        for episode in plan.episodes:
            shutil.rmtree(episode.directory.claims, ignore_errors=True)
