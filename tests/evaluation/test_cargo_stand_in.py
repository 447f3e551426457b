"""Cargo goes on after a test program that fails: where a test is broken, those of later programs have to run, too."""

import os
import subprocess
from pathlib import Path

import pytest

from cooperbench.evaluation.suites import REPORTER

STAND_IN = REPORTER / "cargo" / "bin" / "cargo"


@pytest.mark.parametrize(
    ("typed", "run"),
    [
        ("test --offline", "test --no-fail-fast --offline"),
        ("+nightly -q test -p shop", "+nightly -q test --no-fail-fast -p shop"),
        ("t", "t --no-fail-fast"),
        ("nextest run --all", "nextest run --no-fail-fast --all"),
        ("test -- --nocapture", "test --no-fail-fast -- --nocapture"),
        ("test --no-fail-fast", "test --no-fail-fast"),
        ("build --tests", "build --tests"),
        ("run test", "run test"),
    ],
)
def test_programs_run_after_one_that_fails(typed: str, run: str, tmp_path: Path) -> None:
    stand_in, real = tmp_path / "bin" / "cargo", tmp_path / "real" / "cargo"
    for place, source in ((stand_in, STAND_IN.read_text()), (real, '#!/bin/sh\necho "$@"\nexit 7\n')):
        place.parent.mkdir()
        place.write_text(source)
        place.chmod(0o755)
    path = f"{tmp_path}/first:{stand_in.parent}:{real.parent}:{os.environ['PATH']}"
    done = subprocess.run(["cargo", *typed.split()], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == (run, 7)
