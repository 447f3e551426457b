"""Compare git servers over plain HTTP: this one, `git http-backend` behind Python's own server, and dulwich where it is installed.

python benchmarks/git_servers.py [--megabytes 20]

Prints milliseconds for a small push, a small fetch, a fetch of nothing, and a push and a fetch of random bytes; then, for all of
these together, the processor time with that of git on both sides, the longest time in which another thread of the server's process
could not run, and the peak of that process's memory. Only the first server checks who pushes what.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIServer

from shared_git import AGENTS, AUTHOR, measure, run

from cooperbench._git import Git
from cooperbench.collaboration import GitServer
from cooperbench.errors import RemoteError

GIT = Git(RemoteError, {"http.receivepack": "true", "receive.autogc": "false"})
Urls = dict[str, str]


def ours(folder: Path, base: Path, until: ExitStack) -> Urls:
    return until.enter_context(GitServer(folder / "server")).create_repository("bench", AGENTS, base=base)


class Backend(BaseHTTPRequestHandler):
    """Just enough CGI for `git http-backend`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    root = ""

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Pass the request to git."""
        url = urlsplit(self.path)
        with tempfile.TemporaryFile() as body:
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body.write(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body.write(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            variables = {
                "GIT_PROJECT_ROOT": self.root,
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": url.path,
                "QUERY_STRING": url.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(body.tell()),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_USER": "agent",
            }
            body.seek(0)
            pieces = GIT.stream("http-backend", stdin=body, variables=variables)
            head = b""
            while b"\r\n\r\n" not in head:
                head += next(pieces)
            lines, _, rest = head.partition(b"\r\n\r\n")
            self.send_response(200)
            for line in lines.decode().split("\r\n"):
                self.send_header(*line.split(": ", 1))
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in filter(None, chain([rest], pieces)):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

    do_POST = do_GET  # noqa: N815 - as in the base class


def http_backend(folder: Path, base: Path, until: ExitStack) -> Urls:
    GIT.run("clone", "--quiet", "--bare", base, folder / "bench.git")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Rooted", (Backend,), {"root": str(folder)}))
    return serve(server, until)


def dulwich(folder: Path, base: Path, until: ExitStack) -> Urls:
    from dulwich.repo import Repo
    from dulwich.server import DictBackend
    from dulwich.web import WSGIRequestHandlerLogger, make_wsgi_chain

    class Threads(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    GIT.run("clone", "--quiet", "--bare", base, folder / "bench.git")
    repository = Repo(str(folder / "bench.git"))
    server = Threads(("127.0.0.1", 0), WSGIRequestHandlerLogger)
    server.set_app(make_wsgi_chain(DictBackend(dict.fromkeys(("/bench.git", b"/bench.git"), repository))))
    return serve(server, until)


def serve(server: Any, until: ExitStack) -> Urls:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    until.callback(server.shutdown)
    return dict.fromkeys(AGENTS, f"http://127.0.0.1:{server.server_port}/bench.git")


def bench(title: str, make: Callable[[Path, Path, ExitStack], Urls], megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as until:
        folder = Path(name)
        run(folder, "git init -q base && cd base && git commit -q --allow-empty -m base")
        for agent, url in make(folder, folder / "base", until).items():
            run(folder, f"git clone -q {url} {agent}")
        threading.Thread(target=watch, daemon=True).start()
        begun = sum(os.times()[:4])
        measure(title, lambda agent, command: run(folder / agent, command), megabytes)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{'':<22}{sum(os.times()[:4]) - begun:8.1f} s processor{1000 * longest:6.0f} ms held up{peak:6.0f} MB")


longest = 0.0


def watch() -> None:
    global longest
    while True:
        begun = time.perf_counter()
        time.sleep(0.001)
        longest = max(longest, time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=20)
    megabytes = parser.parse_args().megabytes
    os.environ |= AUTHOR
    servers = [ours, http_backend]
    if find_spec("dulwich") is None:
        print("dulwich is left out: pip install dulwich")
    else:
        servers.append(dulwich)
    for make in servers:
        process = multiprocessing.get_context("spawn").Process(target=bench, args=(make.__name__, make, megabytes))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
