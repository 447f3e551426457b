"""Serve runs to the browser of whoever sits at this machine."""

import contextlib
import secrets
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from cooperbench.errors import UsageError
from cooperbench.viewer.server.app import create_app
from cooperbench.viewer.server.library import Library

HOST = "127.0.0.1"
_END = 5
"""Seconds that requests have to end after Ctrl-C; those of open pages end by themselves within one."""


def serve(library: Library, *, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C. `ready` gets the root address, which has the token in it, once the server listens.

    Without a `port` the system chooses one. Raises `UsageError` for a port that is taken.
    """
    with _listening(port) as listener:
        bound = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        app = create_app(library, token=token, port=bound, closing=lambda: server.should_exit)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_END,
        )
        server = uvicorn.Server(config)
        # While the browser starts: a run of 652 groups takes 0.3 s of processor time to read for the first time.
        threading.Thread(target=library.entries, daemon=True).start()
        ready(f"http://{HOST}:{bound}/{token}/")
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


@contextlib.contextmanager
def _listening(port: int | None) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port or 0))
        except OSError as error:
            raise UsageError(f"port {port} of {HOST} cannot be used: {error.strerror}", hint="--port 0") from error
        listener.listen()
        yield listener
