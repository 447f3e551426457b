"""Bring an answer to the program that asked for it, and read in passing what it says and what it used."""

import json
import time
from dataclasses import dataclass, field
from datetime import datetime

from cooperbench.agents.budget import Budget
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.errors import ModelAnswerError, ModelError, ModelTimeoutError, TransportError
from cooperbench.gateway.dialects import DIALECTS, AnswerReader, ModelCall, dictionary
from cooperbench.gateway.events import EventBlock, EventSplitter, read_json
from cooperbench.gateway.http import HttpConnection
from cooperbench.gateway.recording import AnswerPart
from cooperbench.gateway.replies import ProviderReply
from cooperbench.records import utc_now

KEPT_HEADERS = frozenset({"content-type", "request-id", "x-request-id"})
"""Headers of an answer that the program sees."""
READING_ON = 60.0
"""Seconds for the rest of an answer whose program is gone: its tokens are billed, and counted only at its end."""


@dataclass
class Delivered:
    """An answer that has passed."""

    reader: AnswerReader
    first_token_at: datetime | None = None
    parts: list[AnswerPart] = field(default_factory=list)
    failure: ModelError | None = None
    """Why it broke off, if the provider's side did."""
    gone: bool = False
    """Whether the program went away before the end."""


class Delivery:
    """Passes one answer on. `end` finishes it, after it was charged: the next call must not overtake the charge."""

    def __init__(self, connection: HttpConnection, call: ModelCall, budget: Budget, timeout: float) -> None:
        self._connection = connection
        self._call = call
        self._budget = budget
        self._timeout = timeout
        self._began = time.monotonic()
        self._over_at = self._began + timeout
        self._delivered = Delivered(DIALECTS[call.dialect].reader())
        self._kept_back: list[bytes] = []

    def run(self, reply: ProviderReply) -> Delivered:
        """Pass the answer on, all but its last part."""
        try:
            if reply.in_events:
                self._pass_events(reply)
            else:
                self._pass_whole(reply)
        except ModelError as error:
            self._delivered.failure = error
            if reply.in_events:
                self._report(error)
        finally:
            reply.close()
        return self._delivered

    def end(self) -> None:
        """Send what was kept back, and finish the answer."""
        for data in self._kept_back:
            self._send(data)
        if not self._delivered.gone:
            self._connection.end()

    def _pass_whole(self, reply: ProviderReply) -> None:
        body = reply.whole()
        self._note(body)
        for event in _answers(body):
            self._feed(event)
        self._delivered.reader.ended = True
        self._start(reply, {"content-length": str(len(body))})
        self._kept_back.append(body)

    def _pass_events(self, reply: ProviderReply) -> None:
        self._start(reply, {"cache-control": "no-cache"})
        splitter = EventSplitter()
        for chunk in reply.chunks:
            self._pass(splitter.feed(chunk))
            if self._delivered.reader.complete:
                break
            if time.monotonic() > self._over_at:
                raise ModelTimeoutError(f"the model did not end its answer within {self._timeout:g} s")
        self._pass(splitter.rest())
        if (said := self._delivered.reader.failure) is not None:  # the program has seen it
            self._delivered.failure = provider_error(200, json.dumps({"error": said}))
        elif not self._delivered.reader.ended:
            raise ModelAnswerError("the provider's answer broke off before its end")

    def _pass(self, blocks: list[EventBlock]) -> None:
        """Pass events on. The last ones wait for the charge: with them a program knows that it may ask again."""
        reader, passed = self._delivered.reader, bytearray()
        for block in blocks:
            self._note(block.raw)
            if block.done:
                reader.ended = reader.complete = True
            if block.data is not None:
                self._feed(block.data)
            if self._only_counts(block):
                continue
            if reader.ended:
                self._kept_back.append(block.raw)
            else:
                passed += block.raw
        self._send(bytes(passed))

    def _feed(self, event: dict[str, object]) -> None:
        if self._delivered.reader.feed(event):
            self._delivered.first_token_at = self._delivered.first_token_at or utc_now()
            self._budget.note_answering()

    def _only_counts(self, block: EventBlock) -> bool:
        """Return whether an event is only there because the gateway asked for token counts: some programs stumble over it."""
        if self._call.dialect != "chat" or block.data is None:
            return False
        wanted = dictionary(self._call.body.get("stream_options")).get("include_usage")
        return not wanted and block.data.get("choices") == [] and bool(block.data.get("usage"))

    def _start(self, reply: ProviderReply, headers: dict[str, str]) -> None:
        kept = {name: value for name, value in reply.headers.items() if name in KEPT_HEADERS}
        try:
            self._connection.start(reply.status, {**kept, **headers})
        except TransportError:
            self._lose()

    def _send(self, data: bytes) -> None:
        if self._delivered.gone:
            return
        try:
            self._connection.send(data)
        except TransportError:
            self._lose()

    def _lose(self) -> None:
        self._delivered.gone = True
        self._over_at = min(self._over_at, time.monotonic() + READING_ON)

    def _report(self, error: ModelError) -> None:
        """Tell the program why its answer ends here: hanging up would make it ask again for minutes."""
        dialect = DIALECTS[self._call.dialect]
        self._send(dialect.error_event(dialect.error(400, "provider_failed", error.message)))

    def _note(self, data: bytes) -> None:
        after = round(time.monotonic() - self._began, 4)
        self._delivered.parts.append(AnswerPart(after, data.decode("utf-8", "replace")))


def _answers(body: bytes) -> list[dict[str, object]]:
    """Return the JSON objects of a body that did not come in events: one, or a list of Gemini's."""
    if (answer := read_json(body)) is not None:
        return [answer]
    wrapped = read_json(b'{"list":' + body + b"}") or {}
    return [each for each in wrapped.get("list") or [] if isinstance(each, dict)]
