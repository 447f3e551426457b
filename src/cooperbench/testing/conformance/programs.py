"""Programs whose output is read while they run, and ports that programs in the sandbox connect to."""

import socket
from collections.abc import Iterator

import pytest

from cooperbench.environments import Environment
from cooperbench.errors import SandboxError
from cooperbench.testing.conformance.commands import CONFIGURED, running, unique_seconds, until
from cooperbench.testing.conformance.subject import Subject


class ProgramConformance:
    """Behaviours 26 to 31."""

    @pytest.fixture(scope="class")
    @classmethod
    def environment(cls, subject: Subject) -> Iterator[Environment]:
        """Open one sandbox for the whole class; each test leaves it usable for the next."""
        with subject.open(env={"CONFIGURED": CONFIGURED}) as environment:
            yield environment

    def test_26_lines_come_while_the_program_runs(self, environment: Environment) -> None:
        with environment.spawn("echo one; echo wrong >&2; echo two; read x; echo $x; exit 7", stdin=None) as program:
            lines = iter(program)
            assert [next(lines), next(lines)] == ["one", "two"]
            assert program.returncode is None
            program.write(b"three\n")
            assert list(lines) == ["three"]
            done = program.wait()
        assert (done["output"], done["returncode"], program.stderr) == ("one\ntwo\nthree\n", 7, "wrong\n")

    def test_26_conditions_are_those_of_execute(self, subject: Subject) -> None:
        command = 'pwd; printf "%s\\n" "$CONFIGURED" "$MORE"; own-program; cat; echo "over"'
        # A sandbox of its own: the folder stays on the path for all that comes later.
        with subject.open(env={"CONFIGURED": CONFIGURED}) as environment:
            environment.execute(
                "mkdir -p /tmp/own && printf '#!/bin/sh\necho own\n' >/tmp/own/own-program && chmod 755 /tmp/own/*"
            )
            environment.add_to_path("/tmp/own")
            with environment.spawn(command, env={"MORE": "a b"}) as program:
                assert list(program) == [subject.cwd, *CONFIGURED.split("\n"), "a b", "own", "over"]
            with environment.spawn("pwd", cwd="/does/not/exist") as program:
                assert program.wait()["returncode"] != 0
                assert "/does/not/exist" in program.stderr

    def test_26_input_is_given(self, environment: Environment) -> None:
        with environment.spawn("cat; echo over", stdin=b"a\nb\n") as program:
            assert list(program) == ["a", "b", "over"]
        with environment.spawn("cat; echo over", stdin=None) as program:
            program.write(b"c\n" * 50_000)
            program.close_stdin()
            program.close_stdin()
            assert list(program) == ["c"] * 50_000 + ["over"]

    def test_27_killing_ends_the_whole_tree(self, environment: Environment) -> None:
        seconds = unique_seconds()
        tree = f"trap '' TERM HUP; (setsid sleep {seconds} &); env -i sleep {seconds} & echo up; sleep {seconds}"
        with environment.spawn(tree) as program:
            assert next(iter(program)) == "up"
            program.kill()
            assert program.wait()["returncode"] == 137
            assert running(environment, seconds) == 0
        with environment.spawn(tree):
            pass
        assert running(environment, seconds) == 0

    def test_27_time_limit(self, environment: Environment) -> None:
        seconds = unique_seconds()
        with environment.spawn(f"echo up; sleep {seconds}", timeout=1) as program:
            done = program.wait()
        assert (done["output"], done["returncode"], done["timed_out"]) == ("up\n", 124, True)
        assert running(environment, seconds) == 0

    def test_28_a_background_child_neither_hangs_nor_ends(self, environment: Environment) -> None:
        seconds = unique_seconds()
        done = environment.spawn(f"sleep {seconds} & echo started").wait()
        assert (done["output"], done["returncode"]) == ("started\n", 0)
        assert until(lambda: running(environment, seconds) == 1, 60)
        environment.execute(
            f"kill $(ps | grep '[s]leep {seconds}' | awk '{{print $1}}') || pkill -f '[s]leep {seconds}'"
        )

    def test_29_endless_output_waits_for_its_reader(self, environment: Environment) -> None:
        with environment.spawn("yes; echo never") as program:
            lines = iter(program)
            assert [next(lines) for _ in range(1000)] == ["y"] * 1000
        with environment.spawn("head -c 5000000 /dev/zero; echo end; yes wrong | head -n 200000 >&2") as program:
            done = program.wait()
        assert done["truncated"]
        assert done["output"].endswith("\0end\n")
        assert 10_000 < len(program.stderr) <= 16_384

    def test_29_the_end_of_stderr_is_whole_however_late_it_is_collected(self, environment: Environment) -> None:
        collectors = (
            "ls -l /proc/[0-9]*/fd/0 2>/dev/null | grep $COOPERBENCH_EXEC/errors | sed 's|.*/proc/||; s|/fd/.*||'"
        )
        stopped = f'while them=$({collectors}); [ -z "$them" ]; do :; done; kill -STOP $them'
        later = f"{stopped}; (sleep 1; kill -CONT $them) >/dev/null 2>&1 & echo late >&2"
        with environment.spawn(later) as program:
            assert program.wait()["returncode"] == 0
        assert program.stderr == "late\n"
        with environment.spawn("sleep 600 >/dev/null & echo $!; head -c 60000 /dev/zero >&2; echo end >&2") as program:
            sleeper = program.wait()["output"].strip()
        assert (len(program.stderr), program.stderr[-5:]) == (16_384, "\0end\n")
        with environment.spawn("yes >&2 & echo $!; yes no | head -n 10000 >&2") as program:
            endless = program.wait()["output"].strip()
        assert 10_000 < len(program.stderr) <= 16_384
        environment.execute(f"kill {sleeper} {endless}")

    def test_29_stderr_that_comes_in_many_pieces_is_whole(self, environment: Environment) -> None:
        with environment.spawn("for n in $(seq 300); do echo $n >&2; : $(true); done") as program:
            program.wait()
        assert program.stderr == "".join(f"{number}\n" for number in range(1, 301))

    def test_29_what_watches_a_program_is_killed(self, environment: Environment) -> None:
        with environment.spawn(
            "kill -9 $(cat /tmp/.cooperbench/$COOPERBENCH_EXEC/supervisor) $PPID; echo still"
        ) as program:
            done = program.wait()
        assert done["returncode"] == 137
        assert environment.execute("echo usable")["output"] == "usable\n"

    def test_30_a_port_leads_to_the_harness(self, environment: Environment) -> None:
        if environment.execute("command -v python3")["returncode"] != 0:
            with pytest.raises(SandboxError, match="Python"):
                environment.serve(count_bytes)
            return
        service = environment.serve(count_bytes)
        assert service.address == f"http://127.0.0.1:{service.port}"
        environment.write_file("/tmp/client.py", CLIENT.encode())
        sizes = (0, 1, 2_000_000, 10)
        done = environment.execute(f"python3 /tmp/client.py {service.port} {' '.join(map(str, sizes))}")
        assert sorted(done["output"].split()) == sorted(f"{size}:{size + 6}" for size in sizes)
        with pytest.raises(SandboxError, match="already in use"):
            environment.serve(count_bytes, port=service.port)
        service.close()
        service.close()
        call = f"python3 /tmp/client.py {service.port} 1"
        # Not every backend waits until a process whose stream was closed has ended.
        assert until(lambda: "refused" in environment.execute(call)["output"], 60)

    def test_31_a_broken_stream_is_opened_again(self, subject: Subject) -> None:
        environment, transport = subject.cuttable()
        with environment:
            if environment.execute("command -v python3")["returncode"] != 0:
                return
            environment.write_file("/tmp/client.py", CLIENT.encode())
            service = environment.serve(count_bytes)
            call = f"python3 /tmp/client.py {service.port} 5"
            assert environment.execute(call)["output"] == "5:11\n"
            transport.cut()
            # A connection that is made before the harness has seen the cut is lost with it.
            assert until(lambda: environment.execute(call)["output"] == "5:11\n", 60)


CLIENT = """
import socket, sys, threading, time

def call(size):
    for attempt in range(20):
        try:
            peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    else:
        print("refused", flush=True)
        return
    threading.Thread(target=lambda: (peer.sendall(b"x" * size), peer.shutdown(socket.SHUT_WR))).start()
    got = b""
    while True:
        data = peer.recv(65536)
        if not data:
            break
        got += data
    sys.stdout.write("%d:%d\\n" % (size, len(got)))
    sys.stdout.flush()

callers = [threading.Thread(target=call, args=(int(size),)) for size in sys.argv[2:]]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
"""
"""Sends so many bytes over each connection, ends its side, and prints how many come back before the other side ends."""


def count_bytes(connection: socket.socket) -> None:
    """Read to the end, then send the same back and 6 bytes more."""
    received = bytearray()
    while data := connection.recv(1 << 16):
        received += data
    connection.sendall(received + b"served")
