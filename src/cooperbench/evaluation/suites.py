"""Running one feature's hidden tests on one tree, in a fresh sandbox, through the task's own runner.

The runner is the data set's copy, written into the sandbox by the evaluator together with the patches and guards, one
for each language, that report in a signed file what really ran (`guard/`). One file goes in, one command runs, one report comes out.
"""

import io
import secrets
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cooperbench.environments import Environment, EnvironmentOptions, SandboxLabels, open_environment
from cooperbench.errors import TaskError
from cooperbench.evaluation.installers import changed_files, installers_of
from cooperbench.evaluation.slots import TestSlots, ThreadSlots
from cooperbench.evaluation.test_runners import (
    NO_REPORT,
    Report,
    Request,
    TestRunner,
    complete,
    first_state,
    read_output,
    read_signed,
    runners_of,
)
from cooperbench.tasks import Task

GUARD = Path(__file__).parent / "guard"
WORK_TREE = "/workspace/repo"
IMAGE_RUNNER = "/usr/local/bin/runner.sh"
OUTPUT_LIMIT = 2_000_000
"""Characters of a runner's output that are read; text reports of large suites need that much."""
FILE_SIZE_LIMIT = 4 * 1024 * 1024
"""KiB that a single file written during a suite may have: a runaway test must not fill the host's disk."""


@dataclass(frozen=True)
class SuiteConditions:
    """How suites are run."""

    backend: str
    time_limit: float = 900.0
    """Seconds for one suite, installation included; then everything in it is killed."""
    network: str = "default"
    """`none` where the task's runner needs nothing from outside."""
    labels: SandboxLabels = field(default_factory=lambda: SandboxLabels(run="evaluation"))
    memory_mb: int | None = None
    skip_install: bool = False
    """Answer the runner's installers by "already installed"; see `installers`."""
    watch_install: bool = False
    """Find out whether the runner changes what is installed."""
    guard: bool = True
    """Ask for a structured report. Runners that cut themselves off from their surroundings cannot give one."""


@dataclass(frozen=True)
class SuiteRun:
    """What happened when a suite ran; not yet a verdict."""

    exit_code: int
    timed_out: bool
    report: Report
    output: str
    seconds: float
    """Of the runner alone, its installation included."""
    installed: Sequence[str] | None = None
    """Installed files that the runner changed; `None` when nobody watched."""


@dataclass(frozen=True)
class _Placed:
    """A suite whose files lie in its sandbox."""

    folder: str
    key: str
    runner: bytes
    runners: Sequence[TestRunner]
    has_feature: bool


def run_suite(
    task: Task,
    tests_patch: bytes,
    feature_patch: bytes,
    conditions: SuiteConditions,
    slots: TestSlots | None = None,
    tests: Mapping[str, str] | None = None,
) -> SuiteRun:
    """Start a sandbox, run the task's runner on both patches when its turn comes, read its report, and end the sandbox.

    `tests` are the paths of the hidden tests and the SHA-256 that each has when both patches are applied.

    Raises the classes below `SandboxError` when the sandbox fails; that says nothing about the patches.
    """
    slots = slots or ThreadSlots(1, ahead=0)
    options = EnvironmentOptions.model_validate(
        {
            "lifetime": 2 * conditions.time_limit + 120,  # it may have to wait for its turn
            "command_timeout": conditions.time_limit,
            "output_limit": OUTPUT_LIMIT,
            "network": conditions.network,
            "memory_mb": conditions.memory_mb,
        }
    )
    while True:
        with (
            slots.sandbox(),
            open_environment(conditions.backend, task.image, options=options, labels=conditions.labels) as environment,
        ):
            run = _run(environment, task, tests_patch, feature_patch, conditions, slots, tests or {})
            if run is not None:
                return run


def _run(
    environment: Environment,
    task: Task,
    tests_patch: bytes,
    feature_patch: bytes,
    conditions: SuiteConditions,
    slots: TestSlots,
    tests: Mapping[str, str],
) -> SuiteRun | None:
    """Run it when its turn comes; `None` when the sandbox could reach the end of its lifetime before the suite does."""
    ready = time.monotonic()
    placed = _place(environment, task, tests_patch, feature_patch, tests)
    command = _command(placed.folder, placed.runner, placed.runners, placed.has_feature, conditions)
    with slots.running():
        if time.monotonic() - ready > conditions.time_limit:
            return None
        result = environment.execute(command, timeout=conditions.time_limit)

    return SuiteRun(
        exit_code=result["returncode"],
        timed_out=result["timed_out"],
        report=_read_report(environment, placed, conditions, result["output"]),
        output=result["output"],
        seconds=result["seconds"],
        installed=_installed(environment, placed.folder) if conditions.watch_install else None,
    )


def _place(
    environment: Environment, task: Task, tests_patch: bytes, feature_patch: bytes, tests: Mapping[str, str]
) -> _Placed:
    runner = _runner_of(task, environment)
    # A name that cannot be guessed: the patch must not find the evaluator's files by their place.
    folder = f"/patches/{secrets.token_hex(12)}"
    key = secrets.token_hex(32)
    files = {"tests.patch": tests_patch, "runner.sh": runner, "guard/state": first_state(key), **_guard_files()}
    files["guard/files"] = "".join(f"{digest}  {WORK_TREE}/{path}\n" for path, digest in tests.items()).encode()
    if feature_patch:
        files["feature.patch"] = feature_patch
    environment.write_file(f"{folder}.tar", _archive(files))
    return _Placed(folder, key, runner, runners_of(runner), bool(feature_patch))


def _runner_of(task: Task, environment: Environment) -> bytes:
    """The data set's runner, or the image's where the data set has none."""
    if (task.path / "runner.sh").is_file():
        return task.runner
    try:
        return environment.read_file(IMAGE_RUNNER)
    except FileNotFoundError as error:
        raise TaskError(
            f"{task.path} has no runner.sh, and neither has {task.image}", subject=str(task.path)
        ) from error


def _guard_files() -> dict[str, bytes]:
    paths = (path for path in sorted(GUARD.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {f"guard/{path.relative_to(GUARD).as_posix()}": path.read_bytes() for path in paths}


def _archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def _command(
    folder: str, runner: bytes, runners: Sequence[TestRunner], has_feature: bool, conditions: SuiteConditions
) -> str:
    """Unpack, put the patches where the runner looks, run it, and put what the guards wrote into one file."""
    guard = f"{folder}/guard"
    request = Request(runner, guarded=conditions.guard)
    lines = [
        "set -e",
        f"mkdir -p {folder}",
        f"tar -xf {folder}.tar -C {folder}",
        f"mv {folder}/*.patch /patches/",
        f"rm {folder}.tar",
        f"ulimit -f {FILE_SIZE_LIMIT} 2>/dev/null || true",
        f"guard={guard}",
        *dict.fromkeys(line for test_runner in runners for line in test_runner.ask(request)),
    ]
    installers = installers_of(runner)
    if conditions.skip_install:
        lines += [line for installer in installers for line in installer.skip]
    shell = "bash" if runner.startswith(b"#!") and b"bash" in runner.split(b"\n", 1)[0] else "sh"
    arguments = "tests.patch feature.patch" if has_feature else "tests.patch"
    run = f"{shell} {folder}/runner.sh {arguments}"
    take = " && ".join(installer.fingerprint for installer in installers)
    if conditions.watch_install:
        lines.append(f"{{ {take}; }} >{folder}/before || echo unreadable before >>{folder}/before")
    lines.append(f"code=0; {run} || code=$?")
    if conditions.watch_install:
        lines.append(f"{{ {take}; }} >{folder}/after || echo unreadable after >>{folder}/after")
    lines += [f"{{ {test_runner.collect}; }} || true" for test_runner in runners if test_runner.collect]
    return "\n".join([*lines, f"cat {guard}/state {guard}/report >{folder}/result 2>/dev/null || true", "exit $code"])


def _installed(environment: Environment, folder: str) -> Sequence[str]:
    try:
        return changed_files(environment.read_file(f"{folder}/before"), environment.read_file(f"{folder}/after"))
    except FileNotFoundError:
        return ["unknown: the installation could not be watched"]


def _read_report(environment: Environment, placed: _Placed, conditions: SuiteConditions, output: str) -> Report:
    """What was signed, else what the runner wrote by itself, else its text. Which is good enough, the gold patch's own run decides."""
    if conditions.guard:
        report = read_signed(_read(environment, f"{placed.folder}/result"), placed.key)
        if report is not NO_REPORT:
            return complete(report, placed.runners, output)
    for test_runner in placed.runners:
        if test_runner.collect:
            report = test_runner.read_collected(_read(environment, f"{placed.folder}/guard/collected.tar"))
            if report is not NO_REPORT:
                return report
    return read_output(placed.runners, output)


def _read(environment: Environment, path: str) -> bytes:
    try:
        return environment.read_file(path)
    except FileNotFoundError:
        return b""
