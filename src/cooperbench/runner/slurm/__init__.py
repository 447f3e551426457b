"""Run on a Slurm cluster: an array of processes that share the run by claims. Slurm's own programs do the rest."""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from cooperbench.errors import UsageError
from cooperbench.records import RunDirectory, write_bytes, write_model
from cooperbench.records.scheduled import ScheduledJob, read_job

SECONDS = 60.0
"""How long one of Slurm's programs may take."""


def batch_script(name: str, command: Sequence[str], logs: Path, *, processes: int, options: Sequence[str] = ()) -> str:
    """Return the script of an array of `processes` that each run `command`, with `options` of sbatch such as `--partition=low`."""
    template = Template(files(__package__).joinpath("array.sbatch").read_text())
    lines = "".join(f"#SBATCH {option}\n" for option in options)
    return template.substitute(
        name=name, processes=processes, logs=logs, options=lines, command=shlex.join(command)
    ).replace("\n\n", "\n")


def submit(directories: Sequence[RunDirectory], script: str) -> str:
    """Submit a script and note its job in the directories of its runs. Return Slurm's number. Raises `UsageError`."""
    if shutil.which("sbatch") is None:
        raise UsageError(
            "sbatch is not installed here",
            subject="slurm",
            hint="run this on a machine of the cluster, or write the script with --print and submit it there",
        )
    # Not by a path: the script is in the run directory for its readers, and Slurm keeps a copy.
    done = _slurm("sbatch", "--parsable", script=script)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UsageError(
            f"Slurm refuses the job: {said[-1].removeprefix('sbatch: error: ') if said else done.returncode}",
            subject="slurm",
            hint="change the options with --sbatch, such as --sbatch=--partition=NAME; sinfo lists what there is",
        )
    number = done.stdout.strip().split(";")[0]
    for directory in directories:
        write_bytes(directory.job.with_name("array.sbatch"), script.encode())
        write_model(directory.job, ScheduledJob(scheduler="slurm", number=number))
    return number


def is_scheduled(directory: RunDirectory) -> bool:
    """Return whether a job of the run waits or runs, as far as Slurm answers here."""
    job = read_job(directory)
    if job is None or shutil.which("squeue") is None:
        return False
    return bool(_slurm("squeue", "--noheader", "--jobs", job.number, "--format=%T").stdout.strip())


def _slurm(*command: str, script: str | None = None) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, input=script, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} did not answer within {SECONDS:.0f} s")
