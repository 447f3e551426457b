"""Fetch one file and check it. What an interrupted fetch left is continued; what does not match its checksum is thrown away."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests

from cooperbench.errors import AgentError, UsageError

CHUNK = 1 << 16
CONNECT_SECONDS, READ_SECONDS = 30.0, 120.0
Progress = Callable[[str], None]


class _Mismatch(Exception):
    """What arrived is not what was stated."""


def download(
    url: str, target: Path, integrity: str, *, headers: Mapping[str, str], name: str, progress: Progress | None
) -> int:
    """Fetch `url` to the file `target` and return its size. `integrity` is such as `sha512-<base64>`; one match is enough.

    Raises `AgentError`, retryable where trying again may help.
    """
    part = target.with_name(f"{target.name}.part")
    for attempt in (1, 2):
        try:
            _fetch(url, part, headers, name, progress)
            _check(part, integrity)
            break
        except _Mismatch as error:
            part.unlink(missing_ok=True)
            if attempt == 2:  # the first may have continued a file of something else
                raise AgentError(f"{name} is not what it should be: {error}", subject=name) from error
    part.replace(target)
    return target.stat().st_size


@contextmanager
def answer(
    url: str, headers: Mapping[str, str], name: str, *, missing_hint: str | None = None
) -> Iterator[requests.Response]:
    """Ask for an address. Raises `AgentError`, and `UsageError` for what does not exist."""
    try:
        with requests.get(url, headers=dict(headers), stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
            if response.status_code == 404:
                raise UsageError(f"{name} does not exist in the registry", subject=name, hint=missing_hint)
            if response.status_code in (401, 403):
                raise AgentError(
                    f"the registry refuses {name} ({response.status_code})",
                    subject=name,
                    hint="check the registry and its token in .npmrc, or pip's configuration",
                )
            if response.status_code >= 400 and response.status_code != 416:
                raise AgentError(
                    f"the registry answers {response.status_code} for {name}", subject=name, retryable=True
                )
            yield response
    except requests.RequestException as error:
        raise AgentError(
            f"{name} cannot be fetched: {_reason(error)}",
            subject=name,
            retryable=True,
            hint="check the network and the registry that is set up, and try again: what was fetched is kept",
        ) from error


def _fetch(url: str, part: Path, headers: Mapping[str, str], name: str, progress: Progress | None) -> None:
    parts = urlsplit(url)
    if parts.scheme == "file":
        part.write_bytes(Path(url2pathname(parts.path)).read_bytes())
        return
    have = part.stat().st_size if part.exists() else 0
    asked = {**headers, "Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with answer(url, asked, name) as response:
        if response.status_code == 416:
            return  # it was complete
        if response.status_code != 206:
            have = 0
        total = have + int(response.headers.get("Content-Length") or 0)
        with part.open("ab" if have else "wb") as file:
            for data in response.iter_content(CHUNK):
                file.write(data)
                have += len(data)
                if progress is not None:
                    progress(f"{name}: {have / 1e6:.0f} of {total / 1e6:.0f} MB")
        if total and have < total:
            raise AgentError(f"{name} broke off after {have} of {total} bytes", subject=name, retryable=True)


def _check(path: Path, integrity: str) -> None:
    """Compare a file with a checksum in the form of Subresource Integrity (W3C): one or more of `<algorithm>-<base64>`."""
    stated = [word.partition("-") for word in integrity.split()]
    strongest = max((algorithm for algorithm, _, _ in stated if algorithm in hashlib.algorithms_available), default="")
    with path.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, strongest).digest()).decode() if strongest else ""
    if found not in {value for algorithm, _, value in stated if algorithm == strongest}:
        raise _Mismatch(f"its checksum is {strongest or 'unknown'}-{found}, not {integrity}")


def _reason(error: Exception) -> str:
    """Return the innermost cause in a line, without addresses that may hold a password."""
    while isinstance(error.__cause__ or error.__context__, Exception):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error).splitlines()[0] if str(error) else type(error).__name__
