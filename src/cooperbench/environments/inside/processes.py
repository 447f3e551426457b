"""Which processes belong to a command, and how one ended. Joined to `exec_agent.py`, which kills by it."""

import os


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
