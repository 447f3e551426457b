"""The server's side of HTTP/1.1 on a byte stream, parsed by h11."""

import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import h11

from cooperbench.environments import Stream

LARGEST_REQUEST = 256 * 1024 * 1024
"""Bytes of a request's body. A history with pictures is some tens of megabytes."""
_LARGEST_HEADERS = 256 * 1024
_READ = 1 << 16


class HttpRequest(NamedTuple):
    """A request of a program. Names of headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class HttpConnection:
    """One connection. Writing raises `TransportError` when the caller is gone."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._state = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEADERS)
        self._only_head = False

    @property
    def begun(self) -> bool:
        """Whether an answer has begun that has not ended."""
        return self._state.our_state is h11.SEND_BODY

    def requests(self) -> Iterator[HttpRequest]:
        """Yield each request, which has to be answered before the next one. Ends when the caller has no more."""
        while True:
            try:
                request = self._read_request()
            except h11.RemoteProtocolError as error:
                if self._state.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                    self.answer(error.error_status_hint, {"error": {"message": str(error)}})
                return
            if request is None:
                return
            self._only_head = request.method == "HEAD"
            yield request
            if self._state.our_state is not h11.DONE or self._state.their_state is not h11.DONE:
                return
            self._state.start_next_cycle()

    def answer(self, status: int, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer; a dictionary as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", **(headers or {})}
        self.start(status, {**given, "content-length": str(len(data))})
        self.send(data)
        self.end()

    def start(self, status: int, headers: dict[str, str]) -> None:
        """Begin an answer. Without a length its parts are sent as chunks."""
        self._write(h11.Response(status_code=status, headers=list(headers.items())))

    def send(self, data: bytes) -> None:
        """Send a part of the body at once."""
        if data and not self._only_head:
            self._write(h11.Data(data=data))

    def end(self) -> None:
        """End the answer."""
        self._write(h11.EndOfMessage())

    def _write(self, event: h11.Event) -> None:
        if data := self._state.send(event):
            self._stream.write(data)

    def _read_request(self) -> HttpRequest | None:
        head, body = None, bytearray()
        while True:
            event = self._state.next_event()
            if event is h11.NEED_DATA:
                if self._state.they_are_waiting_for_100_continue:
                    self._write(h11.InformationalResponse(status_code=100, headers=[]))
                self._state.receive_data(self._stream.read(_READ))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > LARGEST_REQUEST:
                    raise h11.RemoteProtocolError("the request is too large", error_status_hint=413)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, bytes(body))
            else:  # the caller has closed the connection, or wants another protocol
                return None


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    target = urlsplit(head.target.decode("ascii", "replace"))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
    if (coding := headers.pop("content-encoding", "identity").lower()) != "identity":
        body = _decoded(coding, body)
    return HttpRequest(head.method.decode(), target.path, dict(parse_qsl(target.query)), headers, body)


def _decoded(coding: str, body: bytes) -> bytes:
    if coding not in {"gzip", "deflate"}:
        raise h11.RemoteProtocolError(f"the encoding {coding} is not supported", error_status_hint=415)
    try:
        data = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, LARGEST_REQUEST + 1)
    except zlib.error as error:
        raise h11.RemoteProtocolError(f"the body is not {coding}: {error}") from error
    if len(data) > LARGEST_REQUEST:
        raise h11.RemoteProtocolError("the request is too large", error_status_hint=413)
    return data
