"""The APIs of providers that the gateway speaks, on both of its sides."""

from cooperbench.gateway.dialects.anthropic import AnthropicMessages
from cooperbench.gateway.dialects.base import AnswerReader, Dialect, Json, ModelCall, TokenCounts, dictionary
from cooperbench.gateway.dialects.chat import ChatCompletions
from cooperbench.gateway.dialects.gemini import GeminiContent
from cooperbench.gateway.dialects.responses import Responses

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (ChatCompletions(), Responses(), AnthropicMessages(), GeminiContent())
}
"""By name."""

__all__ = ["DIALECTS", "AnswerReader", "Dialect", "Json", "ModelCall", "TokenCounts", "dictionary"]
