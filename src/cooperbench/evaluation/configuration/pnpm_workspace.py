"""Restore the settings in `pnpm-workspace.yaml`, where pnpm reads them since version 10.5: options of node, the shell of scripts, overrides.

Which packages a workspace has, and their versions, is work.
"""

import re

_WORK = re.compile(rb"(packages|catalogs?):")
_ELSEWHERE = re.compile(rb":\s*[\"']?(npm|file|link|portal|patch|git\w*|https?|ssh)[:+]")
_CONTINUES = re.compile(rb"[ \t#-]|\s*$")
"""A line that begins nothing: it is indented, an entry of a list, a comment or blank."""


def restore_pnpm_workspace(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's settings, or `None` if they are the same; the base's file if a version comes from elsewhere."""
    known = set(base.splitlines())
    if any(_ELSEWHERE.search(line) and line not in known for line in submitted.splitlines()):
        return base
    (work, settings), (_, before) = _split(submitted), _split(base)
    return None if _said(settings) == _said(before) else b"".join(work + before)


def _split(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the parts that are work, and the others, each from a line that begins something to the next one."""
    parts = [b""]
    for line in text.splitlines():
        # A list may begin at the margin, a document with `---`.
        if _CONTINUES.match(line) and not line.startswith(b"--"):
            parts[-1] += line + b"\n"
        else:
            parts.append(line + b"\n")
    return [part for part in parts if _WORK.match(part)], [part for part in parts if not _WORK.match(part)]


def _said(parts: list[bytes]) -> list[bytes]:
    return [line.rstrip() for part in parts for line in part.splitlines() if line.strip() and not line.startswith(b"#")]
