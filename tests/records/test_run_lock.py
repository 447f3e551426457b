import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench.errors import RunLockedError, UsageError
from cooperbench.records import RunDirectory
from cooperbench.records.run_lock import is_locked, locked

HOLD = """
import sys
from pathlib import Path
from cooperbench.records import RunDirectory
from cooperbench.records.run_lock import locked
with locked(RunDirectory(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_runner_is_refused_until_the_first_is_gone_however_it_went(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "exp")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(run)
        with pytest.raises(RunLockedError, match=f"process {holder.pid} .* is working on run 'exp'"), locked(run):
            pass
        holder.kill()
        holder.wait()
    assert not is_locked(run)
    with locked(run):
        assert is_locked(run)


LOOK = """
import sys
from pathlib import Path
from cooperbench.records import RunDirectory
from cooperbench.records.run_lock import is_locked
print("looking", flush=True)
while True:
    is_locked(RunDirectory(Path(sys.argv[1])))
"""


def test_looking_at_a_run_never_keeps_it_from_starting(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "exp")
    with locked(run):
        pass
    with subprocess.Popen([sys.executable, "-c", LOOK, str(run.path)], stdout=subprocess.PIPE) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == b"looking\n"
        for _ in range(200):
            with locked(run):
                pass
        watcher.kill()


def test_a_log_directory_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(UsageError, match="cannot write to"), locked(RunDirectory(tmp_path / "logs" / "exp")):
        pass
