"""Who may talk to the server, and what a page may do.

It listens on loopback only, but every page in a browser can send requests there. So each address begins with a token that nobody
else knows, the `Host` has to be ours (a name that an attacker points at 127.0.0.1 is not), and what writes has to come from our pages.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Of everything but pages, which bring their own."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Refuses requests with another host, another token or from another page, and adds headers to every answer."""

    def __init__(self, app: Application, *, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on below its token, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope) if scope["type"] == "http" else "only HTTP is spoken here"
        if refusal:
            await _refuse(send, refusal)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                own = any(name == b"content-security-policy" for name, _ in headers)
                policy = [] if own else [(b"content-security-policy", POLICY)]
                message = {**message, "headers": [*headers, *policy, *_HEADERS]}
            await send(message)

        prefix = "/" + self._token.decode()
        await self._app({**scope, "path": scope["path"][len(prefix) :] or "/", "raw_path": None}, receive, send_guarded)

    def _refusal(self, scope: Scope) -> str:
        headers = dict(scope["headers"])
        if headers.get(b"host") not in self._hosts:
            return "this server answers to 127.0.0.1 only"
        given = scope["path"].split("/")[1].encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            return "the address needs the token that cooperbench view printed"
        if scope["method"] in ("GET", "HEAD"):
            return ""
        origin = headers.get(b"origin", b"")
        if origin.removeprefix(b"http://") not in self._hosts or headers.get(b"content-type") != b"application/json":
            return "only the pages of this server may write"
        return ""


async def _refuse(send: Send, reason: str) -> None:
    body = f"refused: {reason}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send(
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [*headers, (b"content-security-policy", POLICY), *_HEADERS],
        }
    )
    await send({"type": "http.response.body", "body": body})
