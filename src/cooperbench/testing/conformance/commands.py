"""Commands and files: what one running sandbox does."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import randrange

import pytest

from cooperbench.environments import Environment
from cooperbench.errors import SandboxDamagedError
from cooperbench.testing.conformance.subject import Subject

CONFIGURED = 'it\'s "$HOME" `x` \\ \n end'
"""A variable's value with everything that quoting can break."""


def running(environment: Environment, seconds: int) -> int:
    """Return how many `sleep` processes with that argument run."""
    # The pattern does not match itself, and reading /proc needs no tool that busybox lacks.
    pattern = f"[s]leep {seconds}"
    found = environment.execute(
        f"for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null | grep -c '^{pattern}'"
    )
    return int(found["output"].strip() or 0)


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def unique_seconds() -> int:
    """Return an argument for `sleep` that nothing else uses; stand-ins may show the processes of the whole machine."""
    return randrange(100_000, 999_999)


class CommandConformance:
    """Behaviours 1 to 15 and 25."""

    @pytest.fixture(scope="class")
    @classmethod
    def environment(cls, subject: Subject) -> Iterator[Environment]:
        """Open one sandbox for the whole class; each test leaves it usable for the next."""
        with subject.open(env={"CONFIGURED": CONFIGURED}) as environment:
            yield environment

    def test_01_exit_code_and_order_of_output(self, environment: Environment) -> None:
        done = environment.execute("echo a; echo b >&2; echo c; exit 7")
        assert (done["output"], done["returncode"]) == ("a\nb\nc\n", 7)
        assert not done["timed_out"]
        assert not done["truncated"]

    def test_02_working_directory(self, environment: Environment, subject: Subject) -> None:
        assert environment.execute("pwd")["output"] == f"{subject.cwd}\n"
        assert environment.execute("pwd", cwd="/tmp")["output"] == "/tmp\n"
        missing = environment.execute("pwd; touch /tmp/ran-anyway", cwd="/does/not/exist")
        assert missing["returncode"] != 0
        assert "/does/not/exist" in missing["output"]
        assert environment.execute("ls /tmp/ran-anyway")["returncode"] != 0

    def test_03_environment_of_the_image(self, environment: Environment, subject: Subject) -> None:
        if subject.tool is not None:
            command, expected = subject.tool
            assert environment.execute(command)["output"] == expected

    def test_04_configured_environment(self, environment: Environment) -> None:
        assert environment.execute('printf %s "$CONFIGURED"')["output"] == CONFIGURED
        assert environment.execute("echo $CALL", env={"CALL": "one"})["output"] == "one\n"
        assert environment.execute("echo $CALL")["output"] == "\n"

    def test_05_standard_input_is_closed(self, environment: Environment) -> None:
        done = environment.execute("cat; grep x; read y; echo $?", timeout=60)
        assert (done["output"], done["timed_out"]) == ("1\n", False)

    def test_06_time_limit_ends_the_whole_tree(self, environment: Environment) -> None:
        first = unique_seconds()
        done = environment.execute(
            f"echo before; (trap '' TERM; sleep {first}) & setsid sleep {first} & sh -c 'sleep {first} & wait' & sleep {first}",
            timeout=1,
        )
        assert (done["returncode"], done["timed_out"]) == (124, True)
        # A shell that outlives its children by a moment may say that they were killed.
        assert done["output"].startswith("before\n")
        assert running(environment, first) == 0

    def test_07_usable_after_a_time_limit(self, environment: Environment) -> None:
        environment.execute("echo kept >/tmp/kept; sleep 60", timeout=1)
        assert environment.execute("cat /tmp/kept")["output"] == "kept\n"

    def test_08_background_children_live_on(self, environment: Environment) -> None:
        seconds = unique_seconds()
        done = environment.execute(f"sleep {seconds} & echo $!")
        assert until(lambda: running(environment, seconds) == 1, 60)
        environment.execute(f"kill {done['output'].strip()}")

    def test_09_long_output_is_capped(self, environment: Environment) -> None:
        done = environment.execute("echo BEGIN; head -c 10000000 /dev/zero | tr '\\0' x; echo END", timeout=60)
        assert done["truncated"]
        assert len(done["output"]) < 60_000
        assert done["output"].startswith("BEGIN\nxxx")
        assert done["output"].endswith("xxxEND\n")
        assert "bytes of output left out" in done["output"]

    def test_09_endless_output_is_bounded(self, environment: Environment) -> None:
        done = environment.execute("yes", timeout=1)
        assert (done["timed_out"], done["truncated"]) == (True, True)
        assert len(done["output"]) < 60_000
        kilobytes = environment.execute("du -sk /tmp/.cooperbench | cut -f1")["output"]
        assert int(kilobytes) < 100_000

    def test_10_output_that_is_not_utf8(self, environment: Environment) -> None:
        assert environment.execute(r"printf 'a\263\377b'")["output"] == "a\ufffd\ufffdb"

    def test_11_long_commands_and_all_quotes(self, environment: Environment) -> None:
        text = "x" * 200_000
        done = environment.execute(f"cat <<'EOF' | wc -c\n{text}\nEOF\necho \"it's $((1+1))\" `echo back` $(echo sub)")
        assert done["output"].split() == ["200001", "it's", "2", "back", "sub"]

    def test_12_unknown_commands_and_signals(self, environment: Environment) -> None:
        assert environment.execute("no_such_command_here")["returncode"] == 127
        assert environment.execute("kill -TERM $$")["returncode"] == 143
        assert environment.execute("sh -c 'kill -KILL $$'")["returncode"] == 137
        ignored, umask = environment.execute("grep SigIgn /proc/self/status | cut -f2; umask")["output"].split()
        # Signals 32 and 33 are the C library's own and cannot be set by programs.
        assert int(ignored, 16) & ~(0b11 << 31) == 0
        assert umask == "0022"

    def test_13_files(self, environment: Environment) -> None:
        blob = os.urandom(3_000_000)
        environment.write_file("/tmp/new folder/it's.bin", blob)
        assert environment.read_file("/tmp/new folder/it's.bin") == blob
        environment.write_file("/tmp/new folder/it's.bin", b"#!/bin/sh\necho ran\n", mode=0o755)
        assert environment.execute("'/tmp/new folder/it'\\''s.bin'")["output"] == "ran\n"
        environment.write_file("/tmp/empty", b"")
        assert environment.read_file("/tmp/empty") == b""
        with pytest.raises(FileNotFoundError):
            environment.read_file("/tmp/not there")
        environment.execute("mkfifo '/tmp/a pipe'")
        with pytest.raises(SandboxDamagedError):  # nobody writes to it
            environment.read_file("/tmp/a pipe")

    def test_14_concurrent_commands(self, environment: Environment) -> None:
        with ThreadPoolExecutor(8) as pool:
            outputs = pool.map(lambda n: environment.execute(f"sleep 0.3; echo {n}")["output"], range(8))
            assert list(outputs) == [f"{n}\n" for n in range(8)]

    def test_14_no_shell_state_leaks(self, environment: Environment, subject: Subject) -> None:
        environment.execute("export LEAK=1; cd /; umask 077; alias ls=false")
        assert environment.execute('echo "[$LEAK]"; pwd; umask')["output"] == f"[]\n{subject.cwd}\n0022\n"

    def test_15_git(self, environment: Environment, subject: Subject) -> None:
        done = environment.execute("git status --porcelain && git log --format=%s | wc -l")
        if subject.git:
            assert (done["returncode"], done["output"].strip()) == (0, "1")
        else:
            assert done["returncode"] == 127

    def test_25_streams(self, environment: Environment) -> None:
        stream = environment.open_stream('while IFS= read -r line; do echo "got $line"; done; echo end')
        stream.write(b"one\n")
        assert stream.read(100) == b"got one\n"
        stream.write(b"two\n")
        assert stream.read(100) == b"got two\n"
        stream.close()
        stream.close()

    def test_25_closing_a_stream_ends_its_process(self, environment: Environment) -> None:
        seconds = unique_seconds()
        stream = environment.open_stream(f"echo up; sleep {seconds}")
        assert stream.read(100) == b"up\n"
        stream.close()
        deadline = time.monotonic() + 10
        while running(environment, seconds) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running(environment, seconds) == 0
