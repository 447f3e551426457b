"""The gateway of one member: what its programs ask a model goes through here, with the key of the host and within the budget.

The member is known by the connection, which comes out of its sandbox, and by a token in the path, because the port can be within reach of
others. The key that a program sends is a placeholder, and the model that it names is replaced by the run's.
"""

import logging
import socket
from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from cooperbench.agents.budget import Budget, current_budget
from cooperbench.agents.journal import current_call_journal
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.known_providers import rate_limit_scope
from cooperbench.agents.pauses import SharedPauses
from cooperbench.environments import Stream
from cooperbench.errors import LimitReachedError, ModelError, TransportError
from cooperbench.gateway.delivery import Delivered, Delivery
from cooperbench.gateway.dialects import DIALECTS, Json, ModelCall, TokenCounts
from cooperbench.gateway.history import ConversationJournal
from cooperbench.gateway.http import HttpConnection, HttpRequest
from cooperbench.gateway.patience import PatientSource, ProviderRefusal
from cooperbench.gateway.pricing import CallPrices
from cooperbench.gateway.recording import CallRecorder, RecordedCall
from cooperbench.gateway.replies import AnswerSource
from cooperbench.gateway.routes import Malformed, answer_locally, read_call, refusal_of_stranger, without_token
from cooperbench.gateway.streams import SocketStream
from cooperbench.records import Record, Usage, utc_now
from cooperbench.records.secrets import scrubbed

logger = logging.getLogger(__name__)
FINAL = {"x-should-retry": "false"}
"""A header that clients of OpenAI and Anthropic keep: they would repeat some errors for minutes."""
_PASSED_STATUSES = frozenset({400, 401, 403, 404, 413, 422})
"""Errors that programs do not repeat. Others become 400."""


class GatewayModels(Record):
    """The names of models: the run's, how it is priced, and the one for calls that a program makes beside its work."""

    model: str
    priced_as: str
    side_model: str | None = None
    side_priced_as: str | None = None

    def chosen(self, asked: str) -> tuple[str, str]:
        """Return the model that answers a request for `asked`, and the name under which it is priced."""
        if self.side_model is not None and asked not in {self.model, self.priced_as}:
            return self.side_model, self.side_priced_as or self.side_model
        return self.model, self.priced_as


class ModelGateway:
    """Serves model calls of one member. `handle` may run in several threads at once."""

    def __init__(
        self,
        source: AnswerSource,
        models: GatewayModels,
        settings: ModelConfig,
        *,
        budget: Budget | None = None,
        recording: Path | None = None,
        pauses: SharedPauses | None = None,
        prices: CallPrices | None = None,
    ) -> None:
        self.models = models
        self.failure: ModelError | None = None
        """The provider's failure at the last call that ended, if it failed."""
        self.calls = 0
        """Calls that were charged."""
        self.rewrite: Callable[[ModelCall], ModelCall] = lambda call: call
        """Changes each call before it is sent, recorded and written to the history."""
        self.charged: Callable[[Json, Usage], None] = lambda message, usage: None
        """Is given each answer that was charged, as a message of a chat completion."""
        self._settings = settings
        self._budget = budget or current_budget()
        self._prices = prices
        """`None` for answers that cost nothing."""
        self._recorder = CallRecorder(recording)
        self._numbers = count(1)
        self._history = ConversationJournal(current_call_journal())
        scope = rate_limit_scope(settings.model_name, settings.base_url)
        self._source = PatientSource(source, settings, pauses or SharedPauses(), self._budget, scope)

    def handle(self, connection: Stream | socket.socket, token: str | None = None) -> None:
        """Answer the HTTP requests of one connection until it ends. With a token, only those whose path begins with it."""
        stream = SocketStream(connection) if isinstance(connection, socket.socket) else connection
        http = HttpConnection(stream)
        try:
            for request in http.requests():
                admitted = request if token is None else without_token(request, token)
                if admitted is None:
                    http.answer(401, refusal_of_stranger(request), FINAL)
                else:
                    self._answer(http, admitted)
        except TransportError as error:
            logger.debug("a program has hung up: %s", error)
        finally:
            stream.close()

    def _answer(self, http: HttpConnection, request: HttpRequest) -> None:
        call = read_call(request)
        if isinstance(call, Malformed):
            http.answer(call.status, call.error, FINAL)
            return
        if call is None:
            status, body = answer_locally(request, self.models.model)
            http.answer(status, body, FINAL if status >= 400 else None)
            return
        try:
            self._ask(http, call)
        except TransportError:
            raise
        except LimitReachedError as error:
            self._budget.reach(error)
            self._refuse(http, call, ProviderRefusal(ModelError(error.message)), "limit_reached")
        except Exception as error:  # a bug of ours, or a full disk: the program is not to wait and ask again
            logger.exception("the gateway failed")
            if not http.begun:
                self._refuse(http, call, ProviderRefusal(ModelError(f"the gateway failed: {error}")), "gateway_failed")

    def _ask(self, http: HttpConnection, asked: ModelCall) -> None:
        began = utc_now()
        model, priced_as = self.models.chosen(asked.model)
        self._budget.before_call()
        asked = self.rewrite(asked)
        self._history.asked(DIALECTS[asked.dialect].messages(asked.body))
        with self._budget.asking():
            heard, attempts = self._source.ask(asked.model_copy(update={"model": model}))
            known = {"started_at": began, "call": asked, "attempts": attempts, "status": heard.status}
            if isinstance(heard, ProviderRefusal):
                self._note_failure(heard.error)
                self._record(**known, failure=heard.error.message)
                self._refuse(http, asked, heard, "provider_failed")
                return
            delivery = Delivery(http, asked, self._budget, self._settings.timeout)
            delivered = delivery.run(heard)
        self._note_failure(delivered.failure)
        tokens = heard.counted() or delivered.reader.tokens
        usage = self._charge(tokens, delivered, priced_as, began)
        delivery.end()
        self._record(
            **known,
            content_type=heard.headers.get("content-type", ""),
            first_token_at=delivered.first_token_at,
            parts=tuple(delivered.parts),
            tokens=tokens,
            usage=usage,
            failure=delivered.failure.message if delivered.failure else None,
        )

    def _charge(self, tokens: TokenCounts, delivered: Delivered, priced_as: str, began: datetime) -> Usage:
        usage = Usage(cost=0.0) if self._prices is None else self._prices.usage(priced_as, tokens)
        self.calls += 1
        self._budget.charge(usage, began=began, first_token_at=delivered.first_token_at)
        message = delivered.reader.message()
        self._budget.note_action(str(message.get("content") or "calls tools"))
        self._history.answered(message, usage)
        self.charged(message, usage)
        return usage

    def _note_failure(self, error: ModelError | None) -> None:
        self.failure = self._budget.provider_failure = error

    def _refuse(self, http: HttpConnection, call: ModelCall, refusal: ProviderRefusal, kind: str) -> None:
        """Answer with an error that the program understands and does not repeat: in the provider's own words, where possible."""
        status = refusal.status if refusal.status in _PASSED_STATUSES else 400
        if status == refusal.status and refusal.body.lstrip().startswith(b"{") and not refusal.translated:
            http.answer(status, scrubbed(refusal.body)[0], FINAL)
            return
        http.answer(status, DIALECTS[call.dialect].error(status, kind, refusal.error.message), FINAL)

    def _record(self, **known: Any) -> None:
        self._recorder.add(RecordedCall(number=next(self._numbers), ended_at=utc_now(), **known))
