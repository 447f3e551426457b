"""The parts of git's wire format that both ends of the shared remote speak.

Packets carry their length in four hexadecimal digits; `0000` ends a section. The answer to a push or a fetch is split into
bands: data, text for the user, and a fatal error. The server reads the commands of a push before git does, because it decides
who may move which branch. Only version 0 with SHA-1 is spoken here, which the git of every task image understands.
"""

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

from cooperbench.errors import RemoteError

FLUSH = b"0000"
NO_OBJECT = "0" * 40
"""The old or new value of a reference that does not exist."""

PROTECTED = "main"
"""The branch that stays at the base commit."""

_HEADER = re.compile(rb"[0-9a-fA-F]{4}")
_SHALLOW = re.compile(rb"shallow ([0-9a-f]{40})\n?")
_LARGEST_BAND = 65_515  # bytes of data in one packet of side-band-64k


class RefCommand(NamedTuple):
    """One command of a push: move `ref` from `old` to `new`."""

    old: str
    new: str
    ref: str


class PushCommands(NamedTuple):
    """The beginning of a push; a pack follows."""

    commands: list[RefCommand]
    abilities: list[str]
    shallow: list[str]
    """Commits whose parents the client does not have."""


class PushReport(NamedTuple):
    """The result of a push."""

    results: dict[str, str | None]
    """`None` for each reference that was moved, else the reason why it was not."""
    messages: bytes
    """Text for the user."""


def packet(data: bytes | str) -> bytes:
    """Frame `data`."""
    raw = data.encode() if isinstance(data, str) else data
    return f"{len(raw) + 4:04x}".encode() + raw


def read_packet(stream: BinaryIO) -> bytes | None:
    """Read one packet; `None` at the end of a section. Raises `RemoteError` at the end of the stream and on bad framing."""
    header = stream.read(4)
    if not _HEADER.fullmatch(header):
        raise RemoteError(f"the git conversation broke off: {header!r} is not a packet")
    length = int(header, 16)
    if length < 4:
        return None
    data = stream.read(length - 4)
    if len(data) != length - 4:
        raise RemoteError("the git conversation broke off in the middle of a packet")
    return data


def read_section(stream: BinaryIO) -> Iterator[bytes]:
    """Yield packets up to the end of a section."""
    while (data := read_packet(stream)) is not None:
        yield data


def read_commands(stream: BinaryIO) -> PushCommands:
    """Read the beginning of a push, and leave `stream` at the pack."""
    commands: list[RefCommand] = []
    abilities: list[str] = []
    shallow: list[str] = []
    for line in read_section(stream):
        if root := _SHALLOW.fullmatch(line):
            shallow.append(root.group(1).decode())
            continue
        text, _, rest = line.partition(b"\0")
        abilities += rest.decode(errors="replace").split()
        old, _, more = text.rstrip(b"\n").decode(errors="surrogateescape").partition(" ")
        new, _, ref = more.partition(" ")
        if len(old) != 40 or len(new) != 40 or not ref:
            raise RemoteError("this kind of push is not supported: it is signed")
        commands.append(RefCommand(old, new, ref))
    return PushCommands(commands, abilities, shallow)


def write_commands(commands: Iterable[RefCommand], abilities: Iterable[str], shallow: Iterable[str] = ()) -> bytes:
    """Encode the commands of a push; the pack follows them."""
    roots = [f"shallow {commit}".encode() for commit in shallow]
    lines = [f"{old} {new} {ref}".encode(errors="surrogateescape") for old, new, ref in commands]
    lines[0] += b"\0 " + " ".join(abilities).encode()
    return b"".join(map(packet, [*roots, *lines])) + FLUSH


def read_report(stream: BinaryIO) -> PushReport:
    """Read the answer to a push. Raises `RemoteError` when the push failed as a whole."""
    data, messages = bytearray(), bytearray()
    for line in read_section(stream):
        (data if line[:1] == b"\1" else messages).extend(line[1:])
    if not data:
        raise RemoteError(f"the push failed: {messages.decode(errors='replace').strip() or 'no report came back'}")
    return PushReport(_read_results(bytes(data)), bytes(messages))


def _read_results(data: bytes) -> dict[str, str | None]:
    results: dict[str, str | None] = {}
    unpacked = "ok"
    for line in read_section(BytesIO(data)):
        word, _, rest = line.rstrip(b"\n").decode(errors="surrogateescape").partition(" ")
        if word == "unpack":
            unpacked = rest
        elif word == "ok":
            results[rest] = None
        elif word == "ng":
            ref, _, reason = rest.partition(" ")
            results[ref] = reason if unpacked == "ok" else f"the objects could not be stored: {unpacked}"
    return results


def write_report(report: PushReport) -> bytes:
    """Encode the answer to a push."""
    lines = [packet("unpack ok\n")]
    for ref, reason in report.results.items():
        text = f"ok {ref}\n" if reason is None else f"ng {ref} {reason}\n"
        lines.append(packet(text.encode(errors="surrogateescape")))
    data = b"".join(lines) + FLUSH
    return b"".join([*_band(2, report.messages), *_band(1, data), FLUSH])


def _band(number: int, data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _LARGEST_BAND):
        yield packet(bytes([number]) + data[start : start + _LARGEST_BAND])
