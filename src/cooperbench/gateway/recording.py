"""Calls of a member kept whole, and played again without a provider.

A recording is a JSON object a line, compressed: a request repeats the whole conversation. Each call is a part of its own of the file, so a
kill loses at most the last. It holds no key: programs send a placeholder, and of the headers only those that are passed on.
"""

import gzip
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from cooperbench.errors import LimitReachedError, ModelRequestError, UsageError
from cooperbench.gateway.dialects import ModelCall, TokenCounts
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.written_answers import offered_tools
from cooperbench.records import Record, Usage
from cooperbench.records.base import UtcTime
from cooperbench.records.secrets import scrubbed

SUFFIX = ".jsonl.gz"
LARGEST_RECORDING = 2_000_000_000
"""Bytes, uncompressed."""


class AnswerPart(NamedTuple):
    """A piece of an answer, and the seconds from the request until it came."""

    after: float
    text: str


class RecordedCall(Record):
    """A call: what was asked, what came, when, and what it used."""

    number: int = Field(ge=1, description="Counts the calls of a member from 1.")
    started_at: UtcTime
    first_token_at: UtcTime | None = None
    ended_at: UtcTime
    call: ModelCall
    status: int
    content_type: str = "application/json"
    parts: tuple[AnswerPart, ...] = ()
    attempts: int = Field(1, ge=1, description="Times that the provider was asked.")
    tokens: TokenCounts = TokenCounts()
    usage: Usage | None = Field(None, description="What was charged; `None` for a call that was refused.")
    failure: str | None = Field(None, description="Why it failed or broke off.")


class CallRecorder:
    """Appends calls to a recording; without a file it drops them. Safe to use from several threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, call: RecordedCall) -> None:
        """Append a call."""
        if self._path is None:
            return
        line, _ = scrubbed(call.model_dump_json().encode() + b"\n")
        data = gzip.compress(line, compresslevel=3)
        with self._lock, self._path.open("ab", buffering=0) as stream:
            stream.write(data)


def read_recording(path: Path) -> Iterator[RecordedCall]:
    """Yield the calls of a recording, leaving out a last one that a kill cut off. Raises `UsageError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the recording {path}: {error.strerror}", subject=str(path)) from error
    if not data.startswith(b"\x1f\x8b"):
        raise UsageError(
            f"{path} is not a recording of model calls",
            subject=str(path),
            hint="name a file model_calls.jsonl.gz of an earlier run",
        )
    for line in _lines(data):
        try:
            yield RecordedCall.model_validate_json(line)
        except ValidationError as error:
            raise UsageError(
                f"the recording {path} is damaged: {error.errors()[0]['msg']}", subject=str(path)
            ) from error


def _lines(data: bytes) -> Iterator[bytes]:
    left = LARGEST_RECORDING
    while data:
        part = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            text = part.decompress(data, left)
        except zlib.error:
            return
        if not part.eof:
            return
        left -= len(text)
        yield from text.splitlines()
        data = part.unused_data


class RecordedAnswers:
    """Answers calls as a recording has it: the n-th call of a kind gets the n-th recorded answer of that kind.

    A kind is a dialect, whether events are wanted, and the model that the program names: programs ask for titles beside their
    work, in an order of their own. `paced` gives the parts in the time that they took.
    """

    def __init__(self, path: Path, *, paced: bool = False) -> None:
        self._path = path
        self._left = [call for call in read_recording(path) if call.usage is not None]
        self._paced = paced
        self._given: Counter[tuple[str, bool]] = Counter()
        self._lock = threading.Lock()

    def ask(self, call: ModelCall) -> ProviderReply:
        """Return the next recorded answer. Raises `LimitReachedError` after the last: there the recorded work ended.

        Raises `ModelRequestError` for a call of a kind that was not recorded.
        """
        kind = call.dialect, call.stream
        with self._lock:
            candidates = [each for each in self._left if (each.call.dialect, each.call.stream) == kind]
            if not candidates and (not self._left or (kind in self._given and offered_tools(call))):
                raise LimitReachedError("recorded answers", self._given[kind], self._given[kind])
            if not candidates:
                text = f"the recording {self._path.name} has no answer for {call.dialect}"
                raise ModelRequestError(text, hint="record the calls again with this program")
            self._given[kind] += 1
            found = next((each for each in candidates if each.call.model == call.model), candidates[0])
            self._left.remove(found)
        return ProviderReply(found.status, {"content-type": found.content_type}, self._parts(found))

    def _parts(self, found: RecordedCall) -> Iterator[bytes]:
        began = time.monotonic()
        for part in found.parts:
            if self._paced:
                time.sleep(max(part.after - (time.monotonic() - began), 0.0))
            yield part.text.encode()
