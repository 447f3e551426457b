"""A small server that speaks the hub's protocol, as far as a download needs it, and counts what it is asked."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATASET = "CodeConflict/cooperbench-dataset"


class HubStandIn(ThreadingHTTPServer):
    """Serves one folder as one data set with the revisions `main` and `COMMIT`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.downloads: Counter[str] = Counter()
        self.fail_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


class _Handler(BaseHTTPRequestHandler):
    server: HubStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass

    def do_HEAD(self) -> None:
        self._serve(body=False)

    def do_GET(self) -> None:
        self._serve(body=True)

    def _serve(self, *, body: bool) -> None:
        path = unquote(urlparse(self.path).path)
        if path.startswith(f"/api/datasets/{DATASET}/"):
            self._answer_api(path.removeprefix(f"/api/datasets/{DATASET}/"))
        elif path.startswith(f"/datasets/{DATASET}/resolve/"):
            self._send_file(path.removeprefix(f"/datasets/{DATASET}/resolve/").split("/", 1)[1], body)
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _answer_api(self, path: str) -> None:
        kind, _, revision = path.partition("/")
        revision = revision.split("/")[0]
        if revision not in ("main", COMMIT):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        files = [(file.relative_to(self.server.folder).as_posix(), file.read_bytes()) for file in self.server.files()]
        if kind == "revision":
            siblings = [{"rfilename": name} for name, _ in files]
            facts: object = {
                "id": DATASET,
                "_id": "1",
                "sha": COMMIT,
                "siblings": siblings,
                "private": False,
                "tags": [],
            }
        else:
            facts = [{"type": "file", "path": n, "size": len(d), "oid": hashlib.sha1(d).hexdigest()} for n, d in files]
        self._send(200, json.dumps(facts).encode(), {"Content-Type": "application/json"})

    def _send_file(self, name: str, body: bool) -> None:
        file = self.server.folder / name
        if not file.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        data = file.read_bytes()
        if body:
            if self.server.fail_after is not None and sum(self.server.downloads.values()) >= self.server.fail_after:
                self._send(403, b"", {})
                return
            self.server.downloads[name] += 1
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self._send(200, data, headers, body=body)

    def _send(self, status: int, data: bytes, headers: dict[str, str], *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def serve(folder: Path) -> Iterator[HubStandIn]:
    """Run the server in a thread."""
    server = HubStandIn(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
