"""What a local sandbox cannot do to the host: fill memory and disk, make user namespaces, use rare system calls."""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.environments import LocalEnvironment, readiness
from cooperbench.environments.local import init, isolation, view
from cooperbench.environments.local.system_calls import filter_program
from cooperbench.testing import sample_image

CALL = """python3 -c 'import ctypes, os, sys
kernel = ctypes.CDLL(None, use_errno=True)
for call in sys.argv[1:]:
    number, *arguments = (int(word, 0) for word in call.split(","))
    result = kernel.syscall(number, *arguments, 0, 0, 0)
    print(number, os.strerror(ctypes.get_errno()) if result < 0 else "allowed")' """


@pytest.fixture(params=["bubblewrap", "unshare"])
def inside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEnvironment]:
    if isolation.probe(isolation.Isolation(request.param)) is not None:
        pytest.skip(f"{request.param} does not work here")
    monkeypatch.setenv(isolation.FORCE, request.param)
    with LocalEnvironment(sample_image("test:limits")) as environment:
        yield environment


@pytest.mark.needs("sandbox")
def test_what_a_sandbox_may_take(inside: LocalEnvironment) -> None:
    sizes = inside.execute("df -B1 --output=size /dev/shm /tmp/.cooperbench")["output"].split()[1:]
    assert [int(size) for size in sizes] == [view.SHARED_MEMORY, view.MEMORY]
    assert inside.execute("echo x >/dev/new")["returncode"] != 0
    assert inside.execute("echo x >/dev/null && echo x >/dev/shm/new")["returncode"] == 0
    large = f"truncate -s {init.LARGEST_FILE} f && ! truncate -s {init.LARGEST_FILE + 1} f && rm f"
    assert inside.execute(large)["returncode"] == 0
    assert inside.execute("ulimit -f unlimited")["returncode"] != 0


@pytest.mark.needs("sandbox")
def test_system_calls_that_are_refused(inside: LocalEnvironment) -> None:
    if not filter_program():
        pytest.skip("there is no filter for this processor")
    assert "Seccomp:\t2" in inside.execute("cat /proc/self/status")["output"]
    assert "Operation not permitted" in inside.execute("unshare --user --map-root-user true")["output"]
    if os.uname().machine == "x86_64":
        calls = ["272,0x10000000", "321,0,0,0", "323,0", "250,0,0", "425,1,0", "435,0,0", "16,0,0x5412,0", "39"]
        said = [line.partition(" ")[2] for line in inside.execute(CALL + " ".join(calls))["output"].splitlines()]
        no, absent = os.strerror(errno.EPERM), os.strerror(errno.ENOSYS)
        assert said == [no, no, no, no, absent, absent, no, "allowed"]
    ordinary = "python3 -c 'import threading; threading.Thread(target=print, args=[1]).start()' && git status --short"
    assert inside.execute(ordinary)["output"] == "1\n"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_way_through_the_filter_ends(machine: str) -> None:
    steps = [
        struct.unpack("=HBBI", filter_program(machine)[at : at + 8]) for at in range(0, len(filter_program(machine)), 8)
    ]
    for number, (code, when_true, when_false, _) in enumerate(steps):
        assert number + 1 + max(when_true, when_false) < len(steps) or code == 0x06
    assert steps[-1][0] == 0x06
    assert filter_program("riscv64") == b""


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 103), ("aarch64", 116)])
def test_the_log_of_the_kernel_is_refused(machine: str, number: int) -> None:
    """Many kernels let everybody read it, and it outlives a sandbox."""
    compared, refused = (
        struct.pack("=HBBI", 0x15, 0, 1, number),
        struct.pack("=HBBI", 0x06, 0, 0, 0x50000 | errno.EPERM),
    )
    assert compared + refused in filter_program(machine)


def test_the_space_of_files_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(os.urandom(1 << 20))
    os.truncate(tmp_path / "a" / "b" / "file", 1 << 40)  # on disk it is still small
    assert 1 << 20 <= init.used_space((str(tmp_path), "/nonexistent")) < 2 << 20


@pytest.mark.needs("sandbox")
def test_doctor_says_what_holds() -> None:
    [found] = [check for check in readiness("local").checks if check.name == "isolation"]
    assert "system calls are filtered" in found.detail
