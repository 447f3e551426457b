"""Who is reading an inbox: a name that tells another process whether its bearer is still alive."""

import os
import socket
import uuid
from pathlib import Path


def new_token() -> str:
    """A name for one reader of this process."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}/{uuid.uuid4().hex}"


def is_dead(token: str) -> bool:
    """Whether the process that the token names has ended.

    A reader on another machine counts as ended: a member works in one place at a time, so when somebody reads its inbox
    elsewhere, the former reader was given up.
    """
    host, pid, started, _ = token.rsplit("/", 3)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    # Process ids are used again; the time of the start tells two bearers apart, where the system shows it.
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "0"
    fields = status.rpartition(")")[2].split()
    # A process that was killed and not yet waited for is dead.
    return "dead" if fields[0] == "Z" else fields[19]
