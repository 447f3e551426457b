"""Read the base URL of a server of the user's own: what cannot work is refused before anything starts, for every kind of model alike."""

import re
from urllib.parse import urlsplit

from cooperbench.errors import UsageError

HINT = "--base-url http://localhost:8000/v1"
_REQUEST = re.compile(r"/(chat/completions|completions|responses|messages|models)/*$")


def server_address(given: str, hint: str = HINT) -> str:
    """Return a base URL without spaces around it and slashes at its end. Raises `UsageError`, which repeats no password."""
    address = given.strip()
    try:
        url = urlsplit(address)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is not a number, or too large a one
        raise UsageError(f"{given!r} is not the URL of a server", hint=hint) from None
    if "@" in url.netloc:
        text = "the URL of a server cannot hold a name and a password: put its key in an environment variable"
        raise UsageError(text, hint=f"{hint} --api-key-env NAME" if hint == HINT else hint)
    if not usable or re.search(r"\s", address):
        raise UsageError(f"{given!r} is not the URL of a server", hint=hint)
    base = url._replace(query="", fragment="", path=_REQUEST.sub("", url.path)).geturl()
    if base != url.geturl():
        raise UsageError(f"{address!r} is more than the base URL of a server: {base} may be meant", hint=hint)
    return address.rstrip("/")
