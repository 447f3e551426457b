import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cooperbench.errors import RecordError
from cooperbench.records.owned_temp_dir import OwnedTempDir, unused_path
from cooperbench.testing.conformance.commands import until

MAKES_THEM = """
import tempfile
from cooperbench.records.owned_temp_dir import OwnedTempDir, unused_path
tempfile.gettempdir()  # Python tries the folder with a file of its own, once
print("ready", flush=True)
kept = []
while True:
    folder = OwnedTempDir(unused_path("test"))
    (folder.path / "file").write_text("content")
    folder.begin()
    kept.append(folder)
"""


@pytest.mark.slow
def test_there_is_no_moment_at_which_a_kill_leaves_a_folder(tmp_path: Path) -> None:
    drawn = random.Random(1)
    for _ in range(5):
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        with subprocess.Popen(
            [sys.executable, "-c", MAKES_THEM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(drawn.uniform(0.0, 0.05))  # the moment is the point
            process.send_signal(signal.SIGKILL)
    assert until(lambda: not list(tmp_path.iterdir()), 60)


def test_the_program_runs_from_its_begin_to_the_close(tmp_path: Path) -> None:
    path, said = unused_path("test"), tmp_path / "said"
    with OwnedTempDir(path, ["sh", "-c", 'ls -a "$0" > "$1"; cat; ls "$0" >> "$1"', str(path), str(said)]) as folder:
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "file").write_text("made before it began")
        folder.begin()
        assert until(lambda: said.exists() and "file" in said.read_text(), 60)
    assert said.read_text().split() == [".", "..", "file", "file"]
    assert not path.exists()


def test_a_program_that_ends_by_itself() -> None:
    path = unused_path("test")
    with OwnedTempDir(path, ["true"]) as folder:
        folder.begin()
        assert until(lambda: folder.ended, 60)
    folder.close()
    assert not path.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "taken", tmp_path / "no" / "folder"):
        with pytest.raises(RecordError, match="cannot make"):
            OwnedTempDir(path)
    assert (tmp_path / "taken").is_dir()
