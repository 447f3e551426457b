"""The resident supervisor: runs inside a sandbox, takes commands on stdin, and answers on stdout.

It does what `supervisor.sh` does, for images that have Python 3.6 or later, but is started once: an execute costs about 2 ms in
place of a new process of the engine (80 to 130 ms for `docker exec`). One thread; sent as text behind `changes.py`.

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
import subprocess
import sys
import time

STATE = "/tmp/.cooperbench"
CHUNK = 1 << 20
LARGEST_ARGUMENT = 100_000
PR_SET_CHILD_SUBREAPER = 36


class Execution:
    """One running command."""

    def __init__(self, request, command):
        self.identifier = request["id"]
        self.directory = os.path.join(STATE, self.identifier)
        self.half = int(request["limit"]) // 2
        self.head = bytearray()
        self.tail = bytearray()
        self.total = 0
        self.timed_out = False
        self.status = None
        os.mkdir(self.directory)
        self.changes = watch(request.get("watch"))  # noqa: F821 - `changes.py` is sent before this file
        self.note("supervisor", str(os.getpid()).encode())
        self.pipe, output = os.pipe()
        fcntl.fcntl(self.pipe, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            self.process = subprocess.Popen(
                self.arguments(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=request["cwd"],
                env=environment(request),
                start_new_session=True,
            )
        except OSError as error:
            os.write(output, "cooperbench: {}: {}\n".format(error.filename, error.strerror).encode())
            self.process = None
            self.status = 127
        os.close(output)
        self.deadline = time.monotonic() + float(request["timeout"])

    def arguments(self, command):
        """Return the shell's command line; the kernel refuses single arguments of 128 KiB."""
        shell = SHELL
        if len(command) < LARGEST_ARGUMENT:
            return [shell, "-c", command]
        self.note("command", command)
        return [shell, os.path.join(self.directory, "command")]

    def note(self, name, data):
        """Write one file of the execution's directory; commands may have removed it, which is no reason to fail."""
        try:
            descriptor = os.open(os.path.join(self.directory, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                stream.write(data)
        except OSError:
            pass

    def take(self):
        """Read what the pipe holds, keep head and tail; False at the end of the pipe."""
        try:
            data = os.read(self.pipe, CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        self.total += len(data)
        room = self.half - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > CHUNK + self.half:
            del self.tail[: -self.half]
        return True

    def finish(self):
        """Record the result beside the command and return the reply."""
        del self.tail[: max(0, len(self.tail) - self.half)]
        for name, data in (("head", self.head), ("tail", self.tail)):
            if data:
                self.note(name, data)
        self.note("rc.new", "{} {} {}\n".format(self.status, int(self.timed_out), self.total).encode())
        try:
            os.rename(os.path.join(self.directory, "rc.new"), os.path.join(self.directory, "rc"))
        except OSError:
            pass
        header = {
            "id": self.identifier,
            "status": self.status,
            "timed_out": self.timed_out,
            "total": self.total,
            "head": len(self.head),
            "tail": len(self.tail),
            "changed": self.changes and self.changes.since(),
        }
        return json.dumps(header).encode() + b"\n" + bytes(self.head) + bytes(self.tail)


def environment(request):
    """Return the variables of a command."""
    env = dict(os.environ, COOPERBENCH_EXEC=request["id"])
    env.update(request["env"])
    if request["path"]:
        env["PATH"] = ":".join(request["path"] + [env.get("PATH", os.defpath)])
    return env


class Program:
    """One of the harness's own programs, such as those that read and write files. It may safely run twice."""

    def __init__(self, request, given):
        self.identifier = request["id"]
        self.files = [self.scratch(name) for name in ("in", "out", "err")]
        self.fill(given)
        os.lseek(self.files[0], 0, os.SEEK_SET)
        try:
            self.process = subprocess.Popen(
                request["argv"],
                stdin=self.files[0],
                stdout=self.files[1],
                stderr=self.files[2],
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            self.close()
            raise

    def scratch(self, name):
        """Open a file without a name."""
        path = os.path.join(STATE, self.identifier + "." + name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(path)
        return descriptor

    def fill(self, given):
        """Write all of a long stdin."""
        view = memoryview(given)
        while view:
            view = view[os.write(self.files[0], view) :]

    def answer(self, status):
        """Return the reply."""
        outputs = []
        for descriptor in self.files[1:]:
            size = os.fstat(descriptor).st_size
            os.lseek(descriptor, 0, os.SEEK_SET)
            data = bytearray()
            while len(data) < size:
                part = os.read(descriptor, size - len(data))
                if not part:
                    break
                data += part
            outputs.append(bytes(data))
        header = {"id": self.identifier, "status": status, "timed_out": False, "total": 0}
        header.update(head=len(outputs[0]), tail=len(outputs[1]))
        self.close()
        return json.dumps(header).encode() + b"\n" + outputs[0] + outputs[1]

    def close(self):
        """Free the files."""
        for descriptor in self.files:
            os.close(descriptor)


def forget(directory):
    """Remove what is left of a finished command."""
    try:
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)
    except OSError:
        subprocess.call(["rm", "-rf", directory])


def exit_code(status):
    """Return the exit code that a shell would report."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def processes():
    """Yield all living processes as (pid, parent, session)."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat", "rb") as stream:
                    fields = stream.read().rsplit(b")", 1)[1].split()
            except OSError:
                continue
            if fields[0] not in b"ZX":
                yield int(name), int(fields[1]), int(fields[3])


def belongs(pid, marker):
    """Return whether a process inherited the marker of an execution."""
    try:
        with open("/proc/{}/environ".format(pid), "rb") as stream:
            return marker in stream.read()
    except OSError:
        return False


def family(execution):
    """Find every process of an execution: by session, by marker (children that called setsid), and their descendants."""
    marker = b"COOPERBENCH_EXEC=" + execution.identifier.encode()
    listed = list(processes())
    found = {pid for pid, _, session in listed if session == execution.process.pid or belongs(pid, marker)}
    grown = True
    while grown:
        more = {pid for pid, parent, _ in listed if parent in found} - found
        found |= more
        grown = bool(more)
    return found


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


def find_shell():
    """Bash where it is installed. (Not by `shutil.which`: that module imports all archive formats, for each sandbox.)"""
    for folder in os.environ.get("PATH", os.defpath).split(":"):
        if folder and os.access(folder + "/bash", os.X_OK):
            return folder + "/bash"
    return "/bin/sh"


SHELL = find_shell()
main()
