"""HTTP to one provider, on connections that stay open between calls.

`http.client` of the standard library, not `requests`: the pages of `requests` and urllib3 that a call touches are 2.7 MB of each member's own
memory. Proxies and certificates are those that the environment names, as `requests` has it.
"""

import os
import select
import ssl
import weakref
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from cooperbench.agents.reading import one_line
from cooperbench.errors import (
    ModelAnswerError,
    ModelAuthenticationError,
    ModelError,
    ModelOverloadedError,
    ModelRequestError,
    ModelTimeoutError,
)

CONNECTING = 30.0
"""Seconds to connect."""
FINISHING = 0.2
"""Seconds for the end of an answer of which all has been read that matters."""
_CHUNK = 1 << 16
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class ProviderConnections:
    """Connections to the address of a provider, used again by whichever thread asks next."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._url = urlsplit(base_url)
        self._idle: list[HTTPConnection] = []
        weakref.finalize(self, _close_all, self._idle)

    def post(self, path: str, body: bytes, headers: dict[str, str], timeout: float) -> "HttpAnswer":
        """Ask, and return the answer when it begins. `timeout` holds for each wait. Raises `ModelError` when none comes."""
        address, connection = f"{self.base_url}{path}", self._take()
        while True:
            used = connection.sock is not None
            try:
                return self._ask(connection, path, body, headers, timeout)
            except (OSError, HTTPException) as error:
                connection.close()
                if not used or not isinstance(error, ConnectionError):
                    raise _unreachable(error, address) from error
                connection = self._new()  # the server has closed the other one at this moment
            except ValueError:  # its text repeats the header, which may be the key
                connection.close()
                text = "the key has characters that HTTP does not allow"
                raise ModelAuthenticationError(text, hint="export it again, without line breaks and spaces") from None

    def _ask(
        self, connection: HTTPConnection, path: str, body: bytes, headers: dict[str, str], timeout: float
    ) -> "HttpAnswer":
        if connection.sock is None:
            connection.connect()
        connection.sock.settimeout(timeout)
        target, proxying = self._target(path)
        connection.request("POST", target, body, {**headers, **proxying})
        return HttpAnswer(connection, connection.getresponse(), f"{self.base_url}{path}", self._idle)

    def _take(self) -> HTTPConnection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._new()
            if not _has_ended(connection):
                return connection
            connection.close()

    def _new(self) -> HTTPConnection:
        at = self._proxy or self._url
        if self._url.scheme == "http":
            return HTTPConnection(at.hostname or "", at.port, timeout=CONNECTING)
        port = at.port or (443 if self._proxy is None else 80)
        connection = HTTPSConnection(at.hostname or "", port, timeout=CONNECTING, context=self._tls)
        if self._proxy is not None:
            connection.set_tunnel(self._url.hostname or "", self._url.port, headers=_proxy_headers(self._proxy))
        return connection

    @cached_property
    def _proxy(self) -> SplitResult | None:
        return _proxy(self._url)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return _tls()

    def _target(self, path: str) -> tuple[str, dict[str, str]]:
        """Return what to ask for, and the headers for a proxy that passes it on."""
        target = quote(f"{self._url.path}{path}", safe="!#$%&'()*+,/:;=?@[]~")
        if self._proxy is None or self._url.scheme != "http":
            return target, {}
        return f"http://{_authority(self._url)}{target}", _proxy_headers(self._proxy)


class HttpAnswer:
    """An answer that has begun. Its connection is free again when it has been read to its end, or closed."""

    def __init__(
        self, connection: HTTPConnection, response: HTTPResponse, address: str, idle: list[HTTPConnection]
    ) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._connection = connection
        self._response = response
        self._address = address
        self._idle = idle
        self._left = response.length
        """Bytes that are still to come; `None` if only the end will tell."""
        self._closed = False

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes. Raises `ModelError` when it breaks off."""
        packed = self.headers.get("content-encoding", "").lower() in {"gzip", "x-gzip", "deflate"}
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None
        try:
            while data := self._read():
                yield decoder.decompress(data) if decoder else data
        except (OSError, HTTPException, zlib.error) as error:
            self._closed = True
            self._response.close()
            self._connection.close()
            raise _broken_off(error, self._address) from error
        self.close()

    def close(self) -> None:
        """Read the little that may be left, so that the connection can be used again, or close that. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError, HTTPException):
            if self._connection.sock is not None and not self._response.isclosed():
                self._connection.sock.settimeout(FINISHING)
                self._read()
        ended = self._left == 0 or self._response.isclosed()
        self._response.close()
        if ended and not self._response.will_close:
            self._idle.append(self._connection)
        else:
            self._connection.close()

    def _read(self) -> bytes:
        """Return what has come, and nothing at the end. `read1` itself neither counts nor notices an end that comes too early."""
        if self._left == 0:
            return b""
        data = self._response.read1(_CHUNK if self._left is None else min(_CHUNK, self._left))
        if self._left is not None:
            if not data:
                raise ConnectionResetError(f"{self._left} bytes are missing")
            self._left -= len(data)
        return data


def _close_all(connections: list[HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


def _has_ended(connection: HTTPConnection) -> bool:
    """Return whether the other side has closed an idle connection: then there is something to read, which is its end."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _unreachable(error: Exception, address: str) -> ModelError:
    if isinstance(error, TimeoutError):
        return ModelTimeoutError(f"{address} does not answer", subject=address)
    said = one_line(str(error) or type(error).__name__)
    return ModelOverloadedError(f"{address} does not answer: {said}", subject=address)


def _broken_off(error: Exception, address: str) -> ModelError:
    if isinstance(error, TimeoutError):
        return ModelTimeoutError(f"{address} has stopped answering", subject=address)
    said = one_line(str(error) or type(error).__name__)
    return ModelAnswerError(f"the provider's answer broke off: {said}", subject=address)


def _authority(url: SplitResult) -> str:
    """Return host and port."""
    return url.netloc.rpartition("@")[2]


def _proxy(url: SplitResult) -> SplitResult | None:
    """Return the proxy that the environment names for an address. Raises `ModelRequestError` for one that is not HTTP's."""
    if proxy_bypass(_authority(url)):
        return None
    proxies = getproxies()
    named = proxies.get(url.scheme) or proxies.get("all")
    if not named:
        return None
    proxy = urlsplit(named if "://" in named else f"http://{named}")
    if proxy.scheme != "http":
        raise ModelRequestError(f"the proxy {proxy.scheme}://{proxy.hostname} is not an HTTP proxy", hint="unset it")
    return proxy


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    account = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(account.encode()).decode()}"}


def _tls() -> ssl.SSLContext:
    """Return what checks certificates: by the file or folder that the environment names, else by those of Mozilla."""
    named = Path(next((os.environ[name] for name in _CERTIFICATES if os.environ.get(name)), certifi.where()))
    if not named.exists():
        raise ModelRequestError(f"there are no certificates at {named}", hint=f"unset {' and '.join(_CERTIFICATES)}")
    if named.is_dir():
        return ssl.create_default_context(capath=str(named))
    return ssl.create_default_context(cafile=str(named))
