"""The HTTP side of the shared remote: credentials, request bodies in all the forms that git sends, streamed answers.

A request is spooled to a file before git works on it, so a client that disappears in mid-push has changed nothing, and a large
push does not fill the memory. `git http-backend` and dulwich were tried in its place: docs/design/git-remote.md.
"""

import gzip
import json
import shutil
import sys
import tempfile
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from cooperbench.collaboration.git_service import SERVICES, EpisodeService
from cooperbench.errors import RemoteError

LARGEST_REQUEST = 1 << 30
_IDLE_SECONDS = 600.0

Find = Callable[[str, str, str], EpisodeService | None]
"""Looks up the service of an episode for an agent and its token; `None` if they do not match."""


class GitHttpServer(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, find: Find) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.find = find

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that is gone, such as one whose agent was killed. A bug keeps its traceback."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Refusal(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: GitHttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = _IDLE_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Log nothing: what matters is in the events."""

    def do_GET(self) -> None:
        """List references, or the files that would conflict."""
        self._answer(self._advertise)

    def do_POST(self) -> None:
        """Serve a fetch or a push."""
        self._answer(self._serve)

    def _answer(self, work: Callable[[EpisodeService, str, str], None]) -> None:
        try:
            agent, token = self._credentials()
            key, _, rest = urlsplit(self.path).path.lstrip("/").partition(".git/")
            service = self.server.find(key, agent, token)
            if service is None:
                raise _Refusal(403, "these credentials do not open this repository")
            work(service, agent, rest)
        except _Refusal as refusal:
            self._refuse(refusal)
        except RemoteError as error:
            self._refuse(_Refusal(500, error.message))
        except (ConnectionError, TimeoutError):  # the client went away
            self.close_connection = True
        except OSError as error:
            self._refuse(_Refusal(507, f"the server cannot keep this: {error.strerror or error}"))

    def _credentials(self) -> tuple[str, str]:
        try:
            plain = b64decode(self.headers.get("Authorization", "").removeprefix("Basic "), validate=True).decode()
        except ValueError:
            plain = ""
        agent, _, token = plain.partition(":")
        if not token:
            raise _Refusal(401, "credentials are missing: use the URL as it was given")
        return agent, token

    def _refuse(self, refusal: _Refusal) -> None:
        self.close_connection = True  # or the unread body would be taken for the next request
        text = f"{refusal}\n".encode()
        self.send_response(refusal.status)
        if refusal.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="cooperbench"')
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def _advertise(self, episode: EpisodeService, agent: str, rest: str) -> None:
        if rest == "conflicts":
            return self._send("application/json", [json.dumps(episode.conflicts(agent)).encode()])
        service = parse_qs(urlsplit(self.path).query).get("service", [""])[0]
        if rest != "info/refs" or service not in SERVICES:
            raise _Refusal(404, "only git's smart protocol is served here")
        return self._send(f"application/x-{service}-advertisement", episode.advertise(service, self._protocol))

    def _serve(self, episode: EpisodeService, agent: str, rest: str) -> None:
        if rest not in SERVICES:
            raise _Refusal(404, "only git's smart protocol is served here")
        with tempfile.TemporaryFile() as request:
            self._read_body(request)
            request.seek(0)
            if rest == "git-upload-pack":
                return self._send(f"application/x-{rest}-result", episode.fetch(agent, request, self._protocol))
            try:
                answer = episode.push(agent, request)
            except RemoteError as error:
                raise _Refusal(400, error.message) from error
            return self._send(f"application/x-{rest}-result", [answer])

    @property
    def _protocol(self) -> str:
        # It becomes an environment variable of git, so nothing else is let through.
        return "version=2" if self.headers.get("Git-Protocol") == "version=2" else ""

    def _read_body(self, target: IO[bytes]) -> None:
        with tempfile.TemporaryFile() as raw:
            chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
            _copy(self._chunks() if chunked else self._exactly(self.headers.get("Content-Length", "0")), raw)
            raw.seek(0)
            if self.headers.get("Content-Encoding") == "gzip":
                try:
                    _copy(_pieces(gzip.GzipFile(fileobj=raw)), target)
                except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                    raise _Refusal(400, f"the body is not valid gzip: {error}") from error
            else:
                shutil.copyfileobj(raw, target)

    def _chunks(self) -> Iterator[bytes]:
        while True:
            size = self.rfile.readline(1024).partition(b";")[0].strip().decode("latin-1")
            yield from self._exactly(size, base=16)
            if not self.rfile.readline(1024).strip() and int(size, 16) == 0:
                return

    def _exactly(self, size: str, base: int = 10) -> Iterator[bytes]:
        try:
            left = int(size, base)
        except ValueError:
            raise _Refusal(400, f"{size!r} is not a length") from None
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 16))
            if not piece:
                raise ConnectionError("the client disconnected in the middle of a request")
            left -= len(piece)
            yield piece

    def _send(self, kind: str, pieces: Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            if piece:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


def _copy(pieces: Iterable[bytes], target: IO[bytes]) -> None:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > LARGEST_REQUEST:
            raise _Refusal(413, "this push is too large")
        target.write(piece)


def _pieces(source: gzip.GzipFile | BinaryIO) -> Iterator[bytes]:
    while piece := source.read(1 << 16):
        yield piece
