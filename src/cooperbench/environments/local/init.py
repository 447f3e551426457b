"""The first process of a local sandbox: starts processes for the host, reaps orphans, and enforces the lifetime.

Arguments are a listening Unix socket (a descriptor), the sandbox's lifetime in seconds, a pipe (a descriptor) to its starter, the
filter of system calls in hexadecimal, and the folder to make the root, if any. If the pipe ends before a byte came through, nobody
knows of the sandbox, and it ends. Process 1 of a namespace cannot be killed from inside, and its end ends all of the sandbox.

Each connection handles one process: a 4-byte length with the three descriptors for stdin, stdout and stderr, then JSON with
`argv`. The answer is the exit code in digits. When the host hangs up earlier, the process group gets SIGHUP, as from a
terminal. Instead of `argv`, `source` is a Python program that runs in a fork of this process; another interpreter would cost
30 ms and 3 MB more per sandbox. `{"stop": true}` ends the sandbox.
"""

import contextlib
import ctypes
import fcntl  # noqa: F401 - for programs in forks: nothing can be imported after `enter`
import json
import os
import resource
import select  # noqa: F401 - as fcntl
import selectors
import signal
import socket
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
PROCESSES = 1024
"""The most that may run at once. More are a fork bomb, and everything in the sandbox but this process is killed."""
LARGEST_FILE = 8 << 30
DISK = 20 << 30
"""Bytes of one file, and of all. With more on disk, everything in the sandbox but this process is killed."""
DISK_STEP = 1 << 30
"""Bytes by which the free space must have shrunk for the files to be counted: a thousand take 5 ms."""
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 47, 4
CAP_SETPCAP, CAP_SYS_CHROOT = 8, 18
CAPABILITIES_VERSION = 0x20080522
LOOK = 1.0
"""Seconds between checks for one. Rlimits would not hold for root, and control groups need root."""


class Init:
    """Serves connections until told to stop or until the lifetime is over."""

    def __init__(self, listener: socket.socket, lifetime: float, starter: int, places: tuple[str, ...]) -> None:
        self.listener, self.starter, self.places = listener, starter, places
        self.end = time.monotonic() + lifetime
        self.look = LOOK if os.getpid() == 1 else lifetime
        self.newest = 0
        self.free = free_space(places[0])
        self.stopping: socket.socket | None = None
        """The connection that asked for the end. It stays open until everything has ended, which its end reports."""
        self.children: dict[int, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        self.wake, wake = os.pipe()
        for descriptor in (self.wake, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.wake, selectors.EVENT_READ)
        self.selector.register(listener, selectors.EVENT_READ)
        self.selector.register(starter, selectors.EVENT_READ)

    def serve(self) -> None:
        """Run the loop."""
        while (left := self.end - time.monotonic()) > 0:
            if self.look < left:
                self.stop_fork_bomb()
                self.limit_disk()
            for key, _ in self.selector.select(min(left, self.look)):
                if key.fileobj is self.listener:
                    if not self.accept():
                        return
                elif key.fileobj == self.wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wake, 4096)
                    self.reap()
                elif key.fileobj == self.starter:
                    if not self.is_persisted():
                        return
                elif isinstance(key.fileobj, socket.socket):
                    self.hang_up(key.fileobj)

    def stop_fork_bomb(self) -> None:
        """Kill all in one call, because a fork bomb outruns single kills. Skip counting while few were started."""
        with open("/proc/loadavg") as stream:  # noqa: PTH123 - its last word is the newest process of this namespace
            newest = int(stream.read().split()[-1])
        started, self.newest = newest - self.newest, newest
        if not 0 <= started < PROCESSES // 4 and sum(name.isdigit() for name in os.listdir("/proc")) > PROCESSES:  # noqa: PTH208
            os.kill(-1, signal.SIGKILL)

    def limit_disk(self) -> None:
        """Kill all when the sandbox's files take too much, whoever wrote them."""
        free = free_space(self.places[0])
        if self.free - free > DISK_STEP:
            if used_space(self.places) > DISK:
                os.kill(-1, signal.SIGKILL)
            self.free = free
        self.free = max(self.free, free)

    def is_persisted(self) -> bool:
        """Return whether the starter stored the sandbox's handle; otherwise the starter ended during the start."""
        kept = os.read(self.starter, 1) != b""
        self.selector.unregister(self.starter)
        os.close(self.starter)
        return kept

    def accept(self) -> bool:
        """Start the process that a new connection asks for. Return False when it asks for the end."""
        connection, _ = self.listener.accept()
        connection.settimeout(5)
        descriptors: list[int] = []
        try:
            size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
            request = json.loads(read_exactly(connection, int.from_bytes(size, "big")))
            if request.get("stop"):
                self.stopping = connection
                return False
            pid = fork(request["source"], descriptors) if "source" in request else spawn(request["argv"], descriptors)
        except (OSError, ValueError, KeyError):
            with contextlib.suppress(OSError):
                connection.sendall(b"127")
            connection.close()
            return True
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self.children[pid] = connection
        self.selector.register(connection, selectors.EVENT_READ)
        return True

    def reap(self) -> None:
        """Collect ended processes, and answer for those that the host started."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                connection = self.children.pop(pid, None)
                if connection is not None:
                    self.selector.unregister(connection)
                    code = os.waitstatus_to_exitcode(status)
                    with contextlib.suppress(OSError):
                        connection.sendall(str(code if code >= 0 else 128 - code).encode())
                    connection.close()

    def hang_up(self, connection: socket.socket) -> None:
        """Send SIGHUP to the process whose connection the host closed."""
        for pid in [pid for pid, other in self.children.items() if other is connection]:
            del self.children[pid]
            # Only here: reap() has already closed the connection of a process that ended at the same moment.
            self.selector.unregister(connection)
            connection.close()
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGHUP)


def spawn(argv: list[str], descriptors: list[int]) -> int:
    """Start a program with these as its stdin, stdout and stderr, and return its process id."""
    stdin, stdout, stderr = descriptors
    process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd="/", start_new_session=True)
    process.returncode = 0  # reap() collects ended processes, not the object
    return process.pid


def fork(source: str, descriptors: list[int]) -> int:
    """Run a Python program in a child that looks like a new interpreter, and return its process id."""
    program = compile(source, "<cooperbench>", "exec")
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        os.chdir("/")
        signal.set_wakeup_fd(-1)
        for caught in (signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM):
            signal.signal(caught, signal.SIG_DFL)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        # Nothing of the first process stays open; its objects remain unused.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        exec(program, {"__name__": "__main__"})
        status = 0
    finally:
        os._exit(status)


def free_space(place: str) -> int:
    """Return the bytes that are free where the work is."""
    with contextlib.suppress(OSError):
        found = os.statvfs(place)
        return found.f_bavail * found.f_frsize
    return 0


def used_space(places: tuple[str, ...]) -> int:
    """Return the bytes on disk below some folders."""
    used = 0
    for place in places:
        for folder, folders, names in os.walk(place):
            if folder == "/":
                folders[:] = [name for name in folders if name not in ("proc", "dev", "sys")]
            for name in names:
                with contextlib.suppress(OSError):
                    used += os.lstat(f"{folder}/{name}").st_blocks * 512
    return used


def enter(root: str) -> None:
    """Make a folder the root of this process and of all after it, and give up the capabilities that this takes."""
    os.chroot(root)
    os.chdir("/")
    if os.environ.get("LC_CTYPE") == "C.UTF-8":  # Python's own idea (PEP 538)
        del os.environ["LC_CTYPE"]
    library = ctypes.CDLL(None)
    library.prctl(PR_CAPBSET_DROP, CAP_SYS_CHROOT, 0, 0, 0)
    library.prctl(PR_CAPBSET_DROP, CAP_SETPCAP, 0, 0, 0)
    library.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if library.capset((ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()) != 0:
        raise OSError("cannot give up capabilities")


def filter_system_calls(program: bytes) -> None:
    """Install a filter for this process and all after it. Without the kernel's support nothing happens; `doctor` says so."""
    instructions = ctypes.create_string_buffer(program, len(program))

    class FilterProgram(ctypes.Structure):
        """`struct sock_fprog`."""

        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    whole = FilterProgram(len(program) // 8, ctypes.addressof(instructions))
    library = ctypes.CDLL(None)
    library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(whole), 0, 0)


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Read `size` bytes; shorter only when the connection ends."""
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def kill_descendants() -> None:
    """Kill what is left where no process namespace does it: all descendants, which we adopted as their subreaper."""
    for _ in range(100):
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listing.splitlines())}
        found = {os.getpid()}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        alive = 0
        for pid in found - {os.getpid()}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                alive += 1
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if alive <= 1:  # ps itself
            return


def main() -> None:
    """Prepare the process and serve."""
    for number in (signal.SIGINT, signal.SIGQUIT):  # the shell that started us in the background ignored them
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which everything in the sandbox would inherit
    os.umask(0o022)
    alone = os.getpid() == 1
    if not alone:
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    listener = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(listener.fileno(), False)
    starter = int(sys.argv[3])
    os.set_inheritable(starter, False)
    if alone:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    if root := sys.argv[5]:
        enter(root)
    if sys.argv[4]:
        with contextlib.suppress(AttributeError, OSError):
            filter_system_calls(bytes.fromhex(sys.argv[4]))
    places = ("/",) if root else ("/workspace", "/home", "/tmp", "/patches")
    Init(listener, float(sys.argv[2]), starter, places).serve()
    if not alone:
        kill_descendants()
    os._exit(0)


if __name__ == "__main__":
    main()
