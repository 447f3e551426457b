"""A server of `cooperbench view` in a process of its own, as a user starts it."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

from tests.command_line import PROGRAM


class Served(NamedTuple):
    """What a user has: an address with a secret in it, and the port."""

    root: str
    """Ends in the token and `/`."""
    first: str
    """The page that a browser opens."""
    port: int

    def get(self, path: str = "", **headers: str) -> requests.Response:
        """Ask for a page or a part."""
        return requests.get(self.root + path, headers=headers, timeout=60)


@contextmanager
def serving(logs: Path, *runs: str) -> Iterator[Served]:
    """Serve runs until the end of the block; Ctrl-C ends the server in order."""
    command = [PROGRAM, "view", *runs, "--no-open", "--log-dir", str(logs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"(http://127\.0\.0\.1:(\d+)/[\w-]+/)(\S*)", line)
            if found is None:
                raise AssertionError(f"{line}{process.communicate()}")
            yield Served(found[1], found[1] + found[3], int(found[2]))
            process.send_signal(signal.SIGINT)
            _, complained = process.communicate(timeout=60)
            assert process.returncode == 0, complained
            assert "Traceback" not in complained, complained
        finally:
            process.kill()
