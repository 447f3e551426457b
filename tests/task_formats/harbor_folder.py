"""A task's folder of Harbor, played by its rules in local sandboxes: one for the agent, another for the verifier.

`benchmarks/harbor.py` does the same with the real program, which needs Python 3.12 and an engine.
"""

import io
import json
import tarfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from cooperbench.environments import Environment, EnvironmentOptions, SandboxLabels, build_image, open_environment
from cooperbench.tasks import Task

LABELS = SandboxLabels(run="harbor")
ROOT = "/tmp/root"
"""What is `/` in Harbor's containers: the top of a local sandbox is read-only."""


class Judged(NamedTuple):
    """What the verifier wrote."""

    rewards: dict[str, int] | None
    """`None` if there is no reward file, which Harbor records as an error."""
    verdict: str


def play(task: Task, folder: Path, work: str) -> Judged:
    """Run shell commands in the agent's sandbox (the solution lies in /solution), read the work, and judge it in another."""
    build_image("local", task.recipe)
    with _sandbox(task) as agent:
        _upload(agent, folder / "environment" / "cooperbench", f"{ROOT}/opt/cooperbench")
        _upload(agent, folder / "solution", f"{ROOT}/solution")
        # What the last steps of the Dockerfile do.
        _run(agent, f"git ls-tree -r -z HEAD >{ROOT}/opt/cooperbench/base")
        _run(agent, work.replace(" /", f" {ROOT}/"))
        settings = tomllib.loads((folder / "task.toml").read_text())
        for hook in settings["verifier"]["collect"]:
            _run(agent, hook["command"].replace("/logs", f"{ROOT}/logs").replace("/opt", f"{ROOT}/opt"))
        handed_in = agent.read_file(f"{ROOT}/logs/artifacts/work")
    return judge(task, folder, handed_in)


def judge(task: Task, folder: Path, handed_in: bytes) -> Judged:
    """Run the verifier on what was collected."""
    with _sandbox(task) as verifier:
        _upload(verifier, folder / "tests", f"{ROOT}/tests")
        _run(verifier, f"mkdir -p {ROOT}/logs/artifacts")
        verifier.write_file(f"{ROOT}/logs/artifacts/work", handed_in)
        verifier.execute(f"COOPERBENCH_LOGS={ROOT}/logs {ROOT}/tests/test.sh", timeout=120)
        verdict = verifier.read_file(f"{ROOT}/logs/verifier/verdict.txt").decode()
        try:
            rewards: Any = json.loads(verifier.read_file(f"{ROOT}/logs/verifier/reward.json"))
        except FileNotFoundError:
            rewards = None
    return Judged(rewards, verdict)


def _sandbox(task: Task) -> Environment:
    return open_environment(
        "local", task.image, options=EnvironmentOptions(lifetime=300, network="none"), labels=LABELS
    )


def _run(environment: Environment, command: str) -> None:
    done = environment.execute(command, timeout=60)
    assert done["returncode"] == 0, done


def _upload(environment: Environment, folder: Path, place: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(folder, ".")
    environment.write_file("/tmp/upload.tar", stream.getvalue())
    _run(environment, f"mkdir -p {place} && tar -xf /tmp/upload.tar -C {place} && rm /tmp/upload.tar")
