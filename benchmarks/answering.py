"""A stand-in provider of models, over HTTP in the dialect of each program."""

from collections.abc import Callable

from cooperbench.environments import Stream
from cooperbench.errors import TransportError
from cooperbench.gateway.dialects import ModelCall
from cooperbench.gateway.http import HttpConnection
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.routes import Malformed, read_call


def answer_requests(stream: Stream, answer: Callable[[ModelCall], ProviderReply], key: str = "") -> None:
    """Answer the model calls of a connection that were made with `key`, and any other request with 404."""
    http = HttpConnection(stream)
    try:
        for request in http.requests():
            call = read_call(request)
            if call is None or isinstance(call, Malformed) or key not in str(request.headers):
                http.answer(404, {"error": {"message": "not found"}})
                continue
            reply = answer(call)
            http.start(200, reply.headers)
            for chunk in reply.chunks:
                http.send(chunk)
            http.end()
    except TransportError:
        return
