"""A client of the shared git remote, for an agent whose sandbox has no network.

It needs neither a repository nor git: the sandbox packs and unpacks the objects, which pass through here as bytes.
"""

import json
from base64 import b64encode
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from typing import NamedTuple
from urllib.parse import urlsplit

from cooperbench.collaboration.git_protocol import (
    FLUSH,
    PushReport,
    RefCommand,
    packet,
    read_packet,
    read_report,
    read_section,
    write_commands,
)
from cooperbench.errors import RemoteError

_TIMEOUT = 600.0
_ABILITIES = ["ofs-delta", "thin-pack", "side-band-64k"]


class Listing(NamedTuple):
    """The references of a remote repository."""

    refs: dict[str, str]
    """The commit of each reference, by its full name."""
    head: str | None
    """The reference that HEAD points to."""


class GitClient:
    """Talks to the server for one agent. `server_url` is the URL that `create_repository` returned for it."""

    def __init__(self, server_url: str) -> None:
        url = urlsplit(server_url)
        if url.scheme != "http" or not (url.hostname and url.port and url.username and url.password):
            raise RemoteError(
                "this is not the URL of a shared git repository",
                hint="http://<agent>:<token>@<host>:<port>/<episode>.git",
            )
        self._address = (url.hostname, url.port)
        self._path = url.path
        credentials = b64encode(f"{url.username}:{url.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}

    def list_refs(self) -> Listing:
        """List the references. Raises `RemoteError`, as all methods do."""
        answer = BytesIO(self._request("GET", "info/refs?service=git-upload-pack"))
        list(read_section(answer))  # the name of the service
        refs: dict[str, str] = {}
        head = None
        for line in read_section(answer):
            text, _, abilities = line.partition(b"\0")
            commit, _, ref = text.rstrip(b"\n").decode(errors="surrogateescape").partition(" ")
            if ref.startswith("refs/"):
                refs[ref] = commit
            for ability in abilities.decode().split():
                if ability.startswith("symref=HEAD:"):
                    head = ability.removeprefix("symref=HEAD:")
        return Listing(refs, head if head in refs else None)

    def fetch_pack(self, wants: Iterable[str], haves: Iterable[str]) -> bytes:
        """Fetch the objects that `wants` need beyond those of `haves`, as a thin pack."""
        lines = [f"want {commit}" for commit in dict.fromkeys(wants)]
        lines[0] += " " + " ".join(_ABILITIES)
        body = b"".join(packet(line + "\n") for line in lines) + FLUSH
        body += b"".join(packet(f"have {commit}\n") for commit in dict.fromkeys(haves)) + packet("done\n")
        return _read_pack(BytesIO(self._request("POST", "git-upload-pack", body)))

    def push_pack(
        self, commands: list[RefCommand], pack: bytes, *, atomic: bool = False, shallow: Iterable[str] = ()
    ) -> PushReport:
        """Push objects and move references. `shallow` are commits whose parents are not there."""
        abilities = ["report-status", "side-band-64k", "ofs-delta"] + ["atomic"] * atomic
        answer = self._request("POST", "git-receive-pack", write_commands(commands, abilities, shallow) + pack)
        return read_report(BytesIO(answer))

    def conflicts(self) -> dict[str, list[str]]:
        """Return the conflicting files of each teammate's branch that would conflict with the agent's own."""
        found: dict[str, list[str]] = json.loads(self._request("GET", "conflicts"))
        return found

    def _request(self, method: str, place: str, body: bytes | None = None) -> bytes:
        connection = HTTPConnection(*self._address, timeout=_TIMEOUT)
        try:
            connection.request(method, f"{self._path}/{place}", body, self._headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            raise RemoteError(f"the shared git server does not answer: {error}", retryable=True) from error
        finally:
            connection.close()
        if response.status != 200:
            reason = answer.decode(errors="replace").strip() or response.reason
            raise RemoteError(f"the shared git server refused: {reason}")
        return answer


def _read_pack(answer: BytesIO) -> bytes:
    pack = bytearray()
    while (line := read_packet(answer)) is not None:
        if line.startswith((b"NAK", b"ACK ")):
            continue
        if line.startswith(b"ERR "):
            raise RemoteError(f"the shared git server refused: {line[4:].decode(errors='replace').strip()}")
        band, data = line[:1], line[1:]
        if band == b"\1":
            pack += data
        elif band == b"\3":
            raise RemoteError(f"the fetch failed: {data.decode(errors='replace').strip()}")
    return bytes(pack)
