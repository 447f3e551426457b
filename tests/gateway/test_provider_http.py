"""Connections to a provider: used again, broken off, through proxies, with certificates of one's own."""

import datetime
import gzip
import ipaddress
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cooperbench.agents.mini_swe_agent.models import make_model
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.errors import (
    ModelAnswerError,
    ModelAuthenticationError,
    ModelError,
    ModelOverloadedError,
    ModelRequestError,
    ModelTimeoutError,
    UsageError,
)
from cooperbench.gateway import check_gateway
from cooperbench.gateway.provider_http import HttpAnswer, ProviderConnections
from cooperbench.gateway.providers import find_provider

ACCOUNT = f"Basic {b64encode(b'me:p@ss').decode()}"


class Server(ThreadingHTTPServer):
    """Answers as the path says, and notes what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.accounts: list[str | None] = []
        self.accepted = 0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def process_request_thread(self, request: object, client_address: object) -> None:
        self.accepted += 1
        super().process_request_thread(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None: ...

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)
        self.server.accounts.append(self.headers.get("Proxy-Authorization"))
        host, _, port = self.path.partition(":")
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with socket.create_connection((host, int(port))) as there:
            back = threading.Thread(target=pump, args=(there, self.connection))
            back.start()
            pump(self.connection, there)
            back.join()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        self.server.accounts.append(self.headers.get("Proxy-Authorization"))
        kind = self.path.rpartition("/")[2]
        self.send_response(200)
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nHel\r\n2\r\nlo\r\n0\r\n\r\n")
            return
        body = gzip.compress(b"Hello") if kind == "gzip" else b"Hello"
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.close_connection = kind in {"closing", "short", "until-end"}
        if kind != "until-end":
            self.send_header("Content-Length", str(len(body) + (9 if kind in {"short", "silent"} else 0)))
        self.end_headers()
        self.wfile.write(body)


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server()
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def connections(server: Server) -> ProviderConnections:
    return ProviderConnections(f"http://{server.place}/v1")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def post(connections: ProviderConnections, path: str, timeout: float = 5.0, key: str = "k") -> HttpAnswer:
    return connections.post(path, b"{}", {"authorization": f"Bearer {key}"}, timeout)


@pytest.mark.parametrize("kind", ["plain", "chunked", "gzip", "closing", "until-end"])
def test_an_answer_arrives_however_it_is_framed(connections: ProviderConnections, kind: str) -> None:
    for _ in range(2):
        answer = post(connections, f"/{kind}")
        assert (answer.status, b"".join(answer.chunks())) == (200, b"Hello")


def test_a_connection_is_used_again_by_any_thread_until_the_server_closes_it(
    server: Server, connections: ProviderConnections
) -> None:
    def ask(kind: str) -> None:
        assert b"".join(post(connections, f"/{kind}").chunks()) == b"Hello"

    for kind in ("plain", "chunked", "gzip", "plain"):
        thread = threading.Thread(target=ask, args=(kind,))
        thread.start()
        thread.join()
    unread = post(connections, "/chunked")
    assert next(unread.chunks()) == b"Hel"
    unread.close()  # what is left is read first, but only one piece of it
    assert server.accepted == 1
    ask("closing")
    ask("plain")
    assert server.accepted == 3
    [idle] = connections._idle
    idle.sock.shutdown(socket.SHUT_RD)  # as if the server had closed it meanwhile
    ask("plain")
    assert server.accepted == 4


def test_a_connection_that_ends_while_it_is_used_is_replaced_at_once(
    server: Server, connections: ProviderConnections
) -> None:
    assert b"".join(post(connections, "/plain").chunks()) == b"Hello"
    [idle] = connections._idle
    idle.sock.shutdown(socket.SHUT_WR)  # so that sending fails, although nothing says before that it will
    assert b"".join(post(connections, "/plain").chunks()) == b"Hello"
    assert server.accepted == 2


@pytest.mark.parametrize(
    ("kind", "error"), [("short", ModelAnswerError), ("silent", ModelTimeoutError)], ids=["short", "silent"]
)
def test_an_answer_that_is_not_whole(connections: ProviderConnections, kind: str, error: type[ModelError]) -> None:
    with pytest.raises(error):
        b"".join(post(connections, f"/{kind}", timeout=0.2).chunks())


def test_nobody_there_and_a_key_that_http_does_not_allow(connections: ProviderConnections) -> None:
    with pytest.raises(ModelOverloadedError, match="does not answer"):
        post(ProviderConnections("http://127.0.0.1:9/v1"), "/plain")
    for key in ("sk-real\nkey", "sk-re…al"):
        with pytest.raises(ModelAuthenticationError) as caught:
            post(connections, "/plain", key=key)
        assert caught.value.__cause__ is None
        assert "sk-re" not in str(caught.value)


def test_proxies_of_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://ignored:1")  # the name in lower case wins
    monkeypatch.setenv("http_proxy", f"http://me:p%40ss@{server.place}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    far = ProviderConnections("http://models.example:8000/v1")
    assert b"".join(post(far, "/odd name/chunked").chunks()) == b"Hello"
    near = ProviderConnections(f"http://{server.place}/v1")
    assert b"".join(post(near, "/plain").chunks()) == b"Hello"
    assert server.asked == ["http://models.example:8000/v1/odd%20name/chunked", "/v1/plain"]
    assert server.accounts == [ACCOUNT, None]
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(ModelRequestError, match="not an HTTP proxy"):
        post(ProviderConnections("http://models.example/v1"), "/plain")


def test_certificates_of_the_environment_also_through_a_proxy(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate(tmp_path / "own.pem"))
    with serving(tls) as secure:
        url = f"https://{secure.place}/v1"
        with pytest.raises(ModelOverloadedError, match="certificate verify failed"):
            post(ProviderConnections(url), "/plain")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
        assert b"".join(post(ProviderConnections(url), "/chunked").chunks()) == b"Hello"
        monkeypatch.setenv("https_proxy", f"me:p%40ss@{server.place}")
        proxied = ProviderConnections(url)
        for _ in range(2):
            assert b"".join(post(proxied, "/plain").chunks()) == b"Hello"
        assert (server.asked, server.accounts) == ([secure.place], [ACCOUNT])
        del proxied
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ModelRequestError, match=r"no certificates at .*none\.pem"):
        post(ProviderConnections("https://127.0.0.1:9"), "/plain")


@pytest.mark.parametrize(
    "address", ["http://", "http:///v1", "http://host:port/v1", "http://host:99999/v1", "ftp://host", "http://a b/v1"]
)
def test_addresses_that_are_none_are_refused_before_the_run(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not the URL of a server"):
        check_gateway("m", {"model": {"base_url": address}})
    monkeypatch.setenv("ANTHROPIC_BASE_URL", address)
    with pytest.raises(UsageError, match="not the URL of a server"):
        check_gateway("claude-sonnet-4-5", {})


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://h/v1/chat/completions", "more than the base URL of a server: http://h/v1 may be meant"),
        ("http://h/v1/messages/", "http://h/v1 may be meant"),
        ("http://h/v1?api-version=3", "http://h/v1 may be meant"),
        ("http://h/v1#part", "http://h/v1 may be meant"),
        ("http://me:s3cret@h/v1", "cannot hold a name and a password"),
    ],
)
def test_addresses_that_are_more_than_a_base_are_refused_for_every_model(address: str, said: str) -> None:
    for ask in (check_gateway, make_model):
        with pytest.raises(UsageError) as raised:
            ask("m", {"model": {"base_url": address}})
        assert said in str(raised.value)
        assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("ending", ["", "/", "//", " "])
def test_slashes_and_spaces_at_the_end_of_an_address_change_nothing(ending: str) -> None:
    settings = ModelConfig(model_name="m", base_url=f" http://h/proxy/v1{ending}")
    assert find_provider("m", settings).base_url == "http://h/proxy/v1"


def certificate(path: Path) -> Path:
    """Write a certificate of this machine's loopback, signed by itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(signed.public_bytes(pem) + private)
    return path
