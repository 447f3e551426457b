"""The command line as a user types it: in this process, or in one of its own where signals or the process are the subject."""

import io
import json
import os
import subprocess
import sys
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cooperbench.cli.main import main

PROGRAM = str(Path(sys.executable).with_name("cooperbench"))


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


def cooperbench(*arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Said:
    """Run a command in this process, as if nobody sat at a terminal; a process of its own would take 0.3 to 1.5 s more."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
        Path(os.devnull).open() as nothing,
        chdir(cwd) if cwd else nullcontext(),
    ):
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", nothing)
        code = main(arguments)
    printed, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    assert "Traceback" not in complained, complained
    return Said(code, printed, complained)


def in_a_new_process(*arguments: str, env: dict[str, str]) -> Said:
    """Run a command where no SDK has logged in yet: Modal's keeps its first client for the life of a process."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)
