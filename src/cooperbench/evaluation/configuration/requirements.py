"""Restore requirements and lock files that name packages out of folders, archives or other servers."""

import re

_ELSEWHERE = re.compile(rb"^\s*(-|\.{0,2}/|file:|[\w.+-]+://)|@\s*(file:|\.|/|[\w.+-]+://)|\.(whl|zip|tar\.\w+|tgz)\b")
_LOCKED_LOCALLY = re.compile(
    rb"\b(file|link|portal):|\b(path|directory|editable)\s*=\s*\"|\btype = \"(file|directory|url|git)\""
)
_PLACE = re.compile(rb"\b(?:resolved|tarball|resolution|url)\b")
_SERVER = re.compile(rb"\bhttps?://([^/\s\"']+)")
_REGISTRIES = {b"registry.npmjs.org", b"registry.yarnpkg.com", b"pypi.org", b"files.pythonhosted.org"}


def restore_requirements(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file without new lines of that kind, or `None` if it has none."""
    known = set(base.splitlines())
    lines = submitted.splitlines(keepends=True)
    kept = [line for line in lines if line.rstrip(b"\r\n") in known or not _ELSEWHERE.search(line)]
    return None if kept == lines else b"".join(kept)


def restore_lock(base: bytes, submitted: bytes) -> bytes | None:
    """Return the base's file if the submission brings a package out of a file, or from a server that the base does not know."""
    known = {line.strip() for line in base.splitlines()}
    servers = _REGISTRIES | {server for line in base.splitlines() for server in _servers(line)}
    new = [line for line in submitted.splitlines() if line.strip() not in known and b"funding" not in line]
    elsewhere = any(
        _LOCKED_LOCALLY.search(line) or not servers.issuperset(_servers(line))
        for line in new
        if not line.strip().startswith(b'"url"')  # where to send money
    )
    return base if elsewhere else None


def _servers(line: bytes) -> list[bytes]:
    """Return the servers behind the first word that says where a package is, in time that is linear."""
    place = _PLACE.search(line)
    return _SERVER.findall(line, place.end()) if place else []
