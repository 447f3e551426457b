"""Run one feature's hidden tests on one tree, in a fresh sandbox, through the task's own runner.

The evaluator writes the data set's runner into the sandbox, together with the patches and the reporters, one for each language,
which write a signed report of what really ran (`reporter/`). One file goes in, one command runs, one report comes out.
"""

import io
import secrets
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from cooperbench.environments import Environment, EnvironmentOptions, SandboxLabels, open_environment
from cooperbench.environments.bases import remove_later_history
from cooperbench.environments.scripts import FILE_TIMEOUT
from cooperbench.errors import SandboxDamagedError, TaskError
from cooperbench.evaluation.build_caches import BUILD_CACHE, after_build, before_build
from cooperbench.evaluation.endings import end_beside
from cooperbench.evaluation.installers import Installer, changed_files, installers_of
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.slots import TestSlots, ThreadSlots
from cooperbench.evaluation.test_runners import (
    NO_REPORT,
    SuiteReport,
    TestRunner,
    complete,
    first_state,
    read_output,
    read_signed,
    runners_of,
)
from cooperbench.records import utc_now
from cooperbench.tasks import Task

REPORTER = Path(__file__).parent / "reporter"
WORK_TREE = "/workspace/repo"
IMAGE_RUNNER = "/usr/local/bin/runner.sh"
OUTPUT_LIMIT = 2_000_000
"""Characters of a runner's output that are read: text reports of large suites need that many."""
UNPACK = 'mkdir -p "$2" && head -c "$1" | tar -xf - -C "$2" && mv "$2"/*.patch /patches/'
"""Puts the patches where the runner looks, and everything else into a folder."""
REPORT_LIMIT = 128 * 1024 * 1024
"""Bytes of a report that are read: what a suite wrote must not fill the host's memory. Build caches are smaller, too."""
FILE_SIZE_LIMIT = 4 * 1024 * 1024
"""KiB of the largest file that a suite may write: a runaway test must not fill the host's disk."""


@dataclass(frozen=True)
class Suite:
    """One feature's hidden tests on one tree, and how to run them."""

    tests_patch: bytes
    feature_patch: bytes
    test_files: Mapping[str, str] = field(default_factory=dict)
    """The paths of the hidden tests, with the SHA-256 that each has when both patches are applied."""
    labels: SandboxLabels = field(default_factory=lambda: SandboxLabels(run="evaluation"))
    skip_install: bool = False
    """Answer the runner's installers with "already installed"; see `installers`."""
    watch_install: bool = False
    """Find out whether the runner changes what is installed."""
    network: Literal["default", "none", "full"] | None = None
    """Of the sandbox; by default that of the settings."""
    structured: bool = True
    """Ask for a structured report. Runners that cut themselves off from their surroundings cannot give one."""
    time_limit: float | None = None
    """Seconds of the runner; by default that of the choices."""
    build_cache: bytes = b""
    """What a compiler made of the base, to begin with; see `build_caches`."""
    keep_build_cache: bool = False
    """Return what compilers added to their caches."""


@dataclass(frozen=True)
class SuiteRun:
    """The run of a suite; not yet a verdict."""

    exit_code: int
    timed_out: bool
    report: SuiteReport
    output: str
    seconds: float
    """Of the runner alone, its installation included."""
    ended_at: datetime
    installed: Sequence[str] | None = None
    """Installed files that the runner changed; `None` if not watched."""
    build_cache: bytes = b""
    """What compilers added to their caches; empty if not asked for."""


@dataclass(frozen=True)
class _Placed:
    """A suite whose files lie in its sandbox."""

    folder: str
    key: str
    runner: bytes
    runners: Sequence[TestRunner]


def run_suite(
    task: Task, suite: Suite, settings: EvaluationSettings, complete: Callable[[], Suite] | None = None
) -> SuiteRun:
    """Start a sandbox, run the task's runner on both patches when a slot is free, and read its report.

    `complete` returns the suite with its patches, if these are to be made while the sandbox starts.
    The sandbox ends beside what comes next, see `endings`. Raises the classes below `SandboxError` when the sandbox fails; that says
    nothing about the patches.
    """
    limit = suite.time_limit or settings.choices.time_limit
    options = EnvironmentOptions(
        lifetime=2 * limit + 120,  # it may have to wait for a slot
        command_timeout=limit,
        output_limit=OUTPUT_LIMIT,
        network=suite.network or settings.network(task),
    )
    slots = settings.slots or ThreadSlots(1, ahead=0)
    while True:
        with ExitStack() as sandbox, ThreadPoolExecutor(1) as thread:
            completed = thread.submit(complete or (lambda: suite))
            sandbox.enter_context(slots.sandbox())
            environment = sandbox.enter_context(
                open_environment(settings.backend, task.image, options=options, labels=suite.labels)
            )
            remove_later_history(environment)
            run = _run(environment, task, completed.result(), slots, limit)
            if run is not None:
                end_beside(sandbox.pop_all())
                return run


def _run(environment: Environment, task: Task, suite: Suite, slots: TestSlots, time_limit: float) -> SuiteRun | None:
    """Run a suite when a slot is free. Returns `None` if its sandbox could reach the end of its lifetime before the suite does."""
    ready = time.monotonic()
    placed = _place(environment, task, suite)
    command = _command(placed, suite)
    with slots.running():
        if time.monotonic() - ready > time_limit:
            return None
        result = environment.execute(command, timeout=time_limit)
        ended_at = utc_now()
    return SuiteRun(
        exit_code=result["returncode"],
        timed_out=result["timed_out"],
        report=_read_report(environment, placed, suite, result["output"]),
        output=result["output"],
        seconds=result["seconds"],
        ended_at=ended_at,
        installed=_installed(environment, placed.folder) if suite.watch_install else None,
        build_cache=_read(environment, f"{placed.folder}/{BUILD_CACHE}") if suite.keep_build_cache else b"",
    )


def _place(environment: Environment, task: Task, suite: Suite) -> _Placed:
    runner = _runner_of(task, environment)
    # A name that cannot be guessed: the patch must not find the evaluator's files by their place.
    folder = f"/patches/{secrets.token_hex(12)}"
    key = secrets.token_hex(32)
    files = {
        "tests.patch": suite.tests_patch,
        "runner.sh": runner,
        "reporter/state": first_state(key),
        **reporter_files(),
    }
    digests = "".join(f"{digest}  {WORK_TREE}/{path}\n" for path, digest in suite.test_files.items())
    files["reporter/files"] = digests.encode()
    if suite.feature_patch:
        files["feature.patch"] = suite.feature_patch
    if suite.build_cache:
        files[BUILD_CACHE] = suite.build_cache
    archive = _archive(files)
    done = environment.run_script(UNPACK, str(len(archive)), folder, stdin=archive, timeout=FILE_TIMEOUT)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[:500]
        raise SandboxDamagedError(f"cannot write the files of the suite: {said}", subject=task.image)
    return _Placed(folder, key, runner, runners_of(runner))


def _runner_of(task: Task, environment: Environment) -> bytes:
    """Return the data set's runner, or the image's if the data set has none."""
    if (task.path / "runner.sh").is_file():
        return task.runner
    try:
        return environment.read_file(IMAGE_RUNNER)
    except FileNotFoundError as error:
        raise TaskError(
            f"{task.path} has no runner.sh, and neither does {task.image}", subject=str(task.path)
        ) from error


def reporter_files() -> dict[str, bytes]:
    """Return the reporters of all languages, by their paths in a sandbox."""
    paths = (path for path in sorted(REPORTER.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {f"reporter/{path.relative_to(REPORTER).as_posix()}": path.read_bytes() for path in paths}


def _archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def _command(placed: _Placed, suite: Suite) -> str:
    """Run the runner with its reporters, and put what these wrote into one file."""
    folder, runner = placed.folder, placed.runner
    reporter = f"{folder}/reporter"
    installers = installers_of(runner)
    before = (each.reporter if suite.structured else each.without_reporter(runner) for each in placed.runners)
    skips = [installer.skip for installer in installers if suite.skip_install]
    shell = "bash" if runner.startswith(b"#!") and b"bash" in runner.split(b"\n", 1)[0] else "sh"
    arguments = "tests.patch feature.patch" if suite.feature_patch else "tests.patch"
    lines = [
        "set -e",
        f"ulimit -f {FILE_SIZE_LIMIT} 2>/dev/null || true",
        f"reporter={reporter}",
        *dict.fromkeys(line for lines in (*before, *skips) for line in lines),
        *_fingerprint(suite, installers, f"{folder}/before"),
        *before_build(placed.runners, folder, given=bool(suite.build_cache), keep=suite.keep_build_cache),
        f"code=0; {shell} {folder}/runner.sh {arguments} || code=$?",
        *_fingerprint(suite, installers, f"{folder}/after"),
        *(after_build(placed.runners, folder) if suite.keep_build_cache else ()),
        *(f"{{ {test_runner.collect}; }} || true" for test_runner in placed.runners if test_runner.collect),
        "exit $code",
    ]
    return "\n".join(lines)


def _fingerprint(suite: Suite, installers: Sequence[Installer], file: str) -> Sequence[str]:
    """Return shell that writes down what is installed."""
    if not suite.watch_install:
        return []
    commands = " && ".join(installer.fingerprint for installer in installers)
    return [f"{{ {commands}; }} >{file} || echo unreadable {file} >>{file}"]


def _installed(environment: Environment, folder: str) -> Sequence[str]:
    try:
        return changed_files(environment.read_file(f"{folder}/before"), environment.read_file(f"{folder}/after"))
    except FileNotFoundError:
        return ["unknown: the installation could not be watched"]


def _read_report(environment: Environment, placed: _Placed, suite: Suite, output: str) -> SuiteReport:
    """Read what was signed, else what the runner wrote by itself, else its text.

    The gold run fixes which report format counts, so a submission cannot switch to a weaker one.
    """
    if suite.structured:
        written = _read(environment, *(f"{placed.folder}/reporter/{name}" for name in ("state", "report")))
        report = read_signed(written, placed.key)
        if report is not NO_REPORT:
            return complete(report, placed.runners, output)
    for test_runner in placed.runners:
        if test_runner.collect:
            report = test_runner.read_collected(_read(environment, f"{placed.folder}/reporter/collected.tar"))
            if report is not NO_REPORT:
                return report
    return read_output(placed.runners, output)


def _read(environment: Environment, *paths: str) -> bytes:
    """Return the first bytes of files that a suite left. Empty where there is none, or where what ran keeps it from being read.

    Who removes programs, or leaves a pipe or an endless file, has left no report. The sandbox did not fail.
    """
    script = 'limit=$1; shift; for file; do [ ! -f "$file" ] || head -c "$limit" "$file" || exit 1; done'
    try:
        reply = environment.run_script(script, str(REPORT_LIMIT), *paths, timeout=FILE_TIMEOUT)
    except SandboxDamagedError:
        return b""
    return reply.stdout if reply.returncode == 0 else b""
