"""What the resident supervisor starts: commands, and the harness's own programs. Joined to `exec_agent.py`, which waits for them."""

import fcntl
import json
import os
import subprocess
import time

from cooperbench.environments.inside.changes import watch

STATE = "/tmp/.cooperbench"
CHUNK = 1 << 20
LARGEST_ARGUMENT = 100_000


def find_shell():
    """Bash where it is installed. (Not by `shutil.which`: that module imports all archive formats, for each sandbox.)"""
    for folder in os.environ.get("PATH", os.defpath).split(":"):
        if folder and os.access(folder + "/bash", os.X_OK):
            return folder + "/bash"
    return "/bin/sh"


SHELL = find_shell()


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
        self.process = None
        os.mkdir(self.directory)
        self.changes = watch(request.get("watch"))
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
