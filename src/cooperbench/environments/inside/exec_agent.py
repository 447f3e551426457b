"""The resident supervisor: runs inside a sandbox, takes commands on stdin, and answers on stdout.

It does what `supervisor.sh` does, for images that have Python 3.6 or later, but is started once: an execute costs about 2 ms in
place of a new process of the engine (80 to 130 ms for `docker exec`). One thread; sent as text behind its parts, see `scripts.joined`.

A request is a JSON line followed by `size` bytes of command text; a reply is a JSON line followed by the kept head and tail of
the output. A request with `argv` is one of the harness's own programs: the bytes are its stdin, and its output comes back whole.
What a command did is also left in `STATE/<id>` as `supervisor.sh` leaves it: a host whose connection broke finds the result there.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time

from cooperbench.environments.inside.execution import CHUNK, STATE, Execution, Program, forget
from cooperbench.environments.inside.processes import exit_code, family

PR_SET_CHILD_SUBREAPER = 36


class Agent:
    """Serves requests until its input ends and nothing is running any more."""

    def __init__(self):
        self.running = {}
        self.programs = {}
        self.draining = set()
        self.buffer = bytearray()
        self.request = None
        self.input_open = True
        self.poll = select.poll()
        self.poll.register(0, select.POLLIN)
        self.wake, wake = os.pipe()
        for descriptor in (self.wake, wake):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_NONBLOCK)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.wake, select.POLLIN)

    def serve(self):
        """Run the loop."""
        while self.input_open or self.running or self.draining or self.programs:
            pause = None
            if self.running:
                first = min(execution.deadline for execution in self.running.values())
                pause = max(0, int((first - time.monotonic()) * 1000) + 1)
            for descriptor, _ in self.poll.poll(pause):
                if descriptor == 0:
                    self.receive()
                elif descriptor == self.wake:
                    self.reap()
                elif descriptor in self.draining:
                    self.drain(descriptor)
                elif descriptor in self.running and not self.running[descriptor].take():
                    self.poll.unregister(descriptor)  # all writers are gone; the exit comes through SIGCHLD
            now = time.monotonic()
            for execution in [execution for execution in self.running.values() if execution.deadline <= now]:
                self.kill(execution)

    def receive(self):
        """Take what arrived, and start every request that is complete."""
        data = os.read(0, CHUNK)
        if not data:
            self.input_open = False
            self.poll.unregister(0)
            return
        self.buffer += data
        while True:
            if self.request is None:
                end = self.buffer.find(b"\n")
                if end < 0:
                    return
                self.request = json.loads(self.buffer[:end].decode())
                del self.buffer[: end + 1]
            size = self.request["size"]
            if len(self.buffer) < size:
                return
            request, payload = self.request, bytes(self.buffer[:size])
            self.request = None
            del self.buffer[:size]
            self.start(request, payload)

    def start(self, request, command):
        """Run one command, unless its id was seen before."""
        if "argv" in request:
            try:
                program = Program(request, command)
            except OSError as error:
                self.reply(json.dumps({"id": request["id"], "refused": str(error)}).encode() + b"\n")
            else:
                self.programs[program.process.pid] = program
            return
        for identifier in request["forget"]:
            forget(os.path.join(STATE, identifier))
        try:
            execution = Execution(request, command)
        except OSError as error:
            self.reply(json.dumps({"id": request["id"], "refused": str(error)}).encode() + b"\n")
            return
        self.running[execution.pipe] = execution
        self.poll.register(execution.pipe, select.POLLIN)
        if execution.process is None:
            self.finish(execution)

    def reap(self):
        """Collect ended processes, also orphans, which the kernel hands to us as their subreaper."""
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.programs:
                program = self.programs.pop(pid)
                program.process.returncode = exit_code(status)
                self.reply(program.answer(program.process.returncode))
                continue
            for execution in list(self.running.values()):
                if execution.process is not None and execution.process.pid == pid:
                    execution.process.returncode = execution.status = exit_code(status)
                    if not execution.timed_out:
                        self.finish(execution)

    def kill(self, execution):
        """End an execution past its time with all of its processes."""
        execution.timed_out = True
        for _ in range(200):
            left = family(execution)
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(0.005)
        self.reap()  # the dead are still to be seen in /proc until then
        execution.status = 124
        self.finish(execution)

    def finish(self, execution):
        """Answer; a background child may hold the pipe open, so what it still writes is read and dropped from now on."""
        if execution.pipe not in self.running:
            return
        del self.running[execution.pipe]
        for _ in range(4):  # what the command itself wrote is in the pipe; a background child may write for ever
            before = execution.total
            if not execution.take() or execution.total == before:
                break
        self.draining.add(execution.pipe)
        try:
            self.poll.register(execution.pipe, select.POLLIN)
        except OSError:
            pass
        self.reply(execution.finish())

    def drain(self, descriptor):
        """Drop what background children write."""
        try:
            if os.read(descriptor, CHUNK):
                return
        except BlockingIOError:
            return
        self.draining.discard(descriptor)
        self.poll.unregister(descriptor)
        os.close(descriptor)

    def reply(self, data):
        """Send an answer; without a reader the result stays in STATE."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(1, view) :]
        except OSError:
            pass


def main():
    """Prepare the process and serve."""
    os.environ.pop("PYTHONCOERCECLOCALE", None)
    signal.signal(signal.SIGHUP, lambda *_: None)  # not SIG_IGN, which commands would inherit
    try:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (AttributeError, OSError):
        pass
    os.makedirs(STATE, exist_ok=True)
    os.write(1, b"ready\n")
    Agent().serve()
    sys.stdout.flush()


main()
