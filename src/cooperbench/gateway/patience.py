"""Ask a source until it answers or there is nothing to hope for: retries as for built-in models, and pauses that all members keep.

Nothing has been passed on to the program yet, so a retry is invisible to it. The programs have retries of their own, for minutes, without a
record and each on its own; what this module gives up on is reported to them as final.
"""

import json
import logging
import random
import time
from datetime import timedelta
from itertools import chain
from typing import NamedTuple

from cooperbench.agents.budget import Budget
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.pauses import SharedPauses
from cooperbench.agents.reading import one_line
from cooperbench.errors import ModelAnswerError, ModelError, ModelRequestError, ModelTimeoutError
from cooperbench.gateway.dialects import DIALECTS, ModelCall
from cooperbench.gateway.events import EventSplitter, read_json
from cooperbench.gateway.replies import AnswerSource, ProviderReply
from cooperbench.records import utc_now
from cooperbench.records.model_wait import ModelWait

logger = logging.getLogger(__name__)


class ProviderRefusal(NamedTuple):
    """What came instead of an answer. `body` is empty when nothing came."""

    error: ModelError
    status: int = 0
    body: bytes = b""
    translated: bool = False
    """Whether `body` is in another dialect than the caller's."""


class PatientSource:
    """Asks a source, again and again where that can help."""

    def __init__(
        self, source: AnswerSource, settings: ModelConfig, pauses: SharedPauses, budget: Budget, provider: str
    ) -> None:
        self._source = source
        self._settings = settings
        self._pauses = pauses
        self._budget = budget
        self._provider = provider
        """What the pauses hold for."""

    def ask(self, call: ModelCall) -> tuple[ProviderReply | ProviderRefusal, int]:
        """Return the answer or the last refusal, and the number of attempts."""
        attempt = 0
        while True:
            attempt += 1
            self._keep_pause()
            heard = self._ask_once(call)
            if isinstance(heard, ProviderReply):
                return heard, attempt
            error = heard.error
            if error.retryable and error.retry_after:
                self._pauses.extend(self._provider, min(error.retry_after, self._settings.retry_wait_limit))
            if not error.retryable or attempt > self._retries(error):
                return heard, attempt
            self._wait(error, attempt)

    def _ask_once(self, call: ModelCall) -> ProviderReply | ProviderRefusal:
        try:
            reply = self._source.ask(call)
            return _checked(reply, call)
        except ModelError as error:
            return ProviderRefusal(error)

    def _retries(self, error: ModelError) -> int:
        """Return the most retries after an error: a call that took all of its time is repeated only once."""
        return min(self._settings.retries, 1) if isinstance(error, ModelTimeoutError) else self._settings.retries

    def _keep_pause(self) -> None:
        if pause := self._pauses.left(self._provider, self._settings.retry_wait_limit):
            self._budget.note_action(f"waits {pause:.0f} s: the provider limits all members")
            time.sleep(pause)

    def _wait(self, error: ModelError, attempt: int) -> None:
        """Wait as built-in models do, and record it."""
        pause = self._settings.retry_wait * 2.0 ** (attempt - 1) * random.uniform(0.8, 1.2)
        pause = min(max(pause, error.retry_after or 0.0), self._settings.retry_wait_limit)
        attempts = self._retries(error) + 1
        logger.warning("%s; retrying in %.1f s (%d of %d)", error, pause, attempt, attempts - 1)
        now = utc_now()
        wait = ModelWait(
            time=now,
            until=now + timedelta(seconds=pause),
            kind=type(error).__name__,
            reason=one_line(str(error), 300),
            attempt=attempt + 1,
            attempts=attempts,
        )
        self._budget.note_action(f"model fails, attempt {wait.attempt} in {pause:.0f} s: {error}")
        self._budget.begin_wait(wait)
        time.sleep(pause)
        self._budget.end_wait()


def _checked(reply: ProviderReply, call: ModelCall) -> ProviderReply | ProviderRefusal:
    """Look at what begins to come. An error may be inside a 200, and a page of a proxy is not an answer."""
    if 300 <= reply.status < 400:  # a key is sent to nobody who was not named
        reply.close()
        text = f"the provider answered {reply.status}: it is elsewhere, {reply.headers.get('location', 'and does not say where')}"
        return ProviderRefusal(ModelRequestError(text, hint="--base-url with the address where it is"), reply.status)
    if reply.status >= 400:
        body = reply.whole()
        text = body.decode("utf-8", "replace")
        error = provider_error(reply.status, text, reply.headers.get("retry-after"))
        return ProviderRefusal(error, reply.status, body, reply.translated)
    if reply.in_events:
        return _checked_events(reply, call)
    body = reply.whole()
    reader, answer = DIALECTS[call.dialect].reader(), read_json(body)
    if answer is None and not body.lstrip().startswith(b"["):  # Gemini streams a list
        return ProviderRefusal(ModelAnswerError(f"the provider did not answer with JSON: {_shown(body)}"), 200, body)
    reader.feed(answer or {})
    if reader.failure:
        return ProviderRefusal(provider_error(200, body.decode("utf-8", "replace")), 200, body)
    reply.chunks = iter([body])
    return reply


def _checked_events(reply: ProviderReply, call: ModelCall) -> ProviderReply | ProviderRefusal:
    splitter, taken = EventSplitter(), []
    blocks = []
    for chunk in reply.chunks:
        taken.append(chunk)
        if blocks := splitter.feed(chunk):
            break
    blocks = blocks or splitter.rest()
    if not blocks:
        return ProviderRefusal(ModelAnswerError("the provider's answer is empty"), reply.status)
    reader = DIALECTS[call.dialect].reader()
    for block in blocks:
        if reader.feed(block.data or {}) or reader.tokens.input:
            break  # what fails after that is an answer that broke off, and is billed
    if reader.failure:
        reply.close()
        said = json.dumps({"error": reader.failure})
        return ProviderRefusal(provider_error(200, said), 200, said.encode())
    reply.chunks = chain(taken, reply.chunks)
    return reply


def _shown(body: bytes) -> str:
    return repr(one_line(body.decode("utf-8", "replace")))
