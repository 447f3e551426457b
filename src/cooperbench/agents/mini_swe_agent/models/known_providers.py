"""The providers that most users have: where their keys are, how these look, and whose a model is."""

from typing import NamedTuple


class Provider(NamedTuple):
    """The variables that may hold a provider's key, how its keys begin, and the variables that name another server."""

    variables: tuple[str, ...]
    prefix: str = ""
    addresses: tuple[str, ...] = ()


PROVIDERS = {
    "openai": Provider(("OPENAI_API_KEY",), "sk-", ("OPENAI_BASE_URL", "OPENAI_API_BASE")),
    "anthropic": Provider(
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), "sk-ant-", ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE")
    ),
    "gemini": Provider(("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    "openrouter": Provider(("OPENROUTER_API_KEY",), "sk-or-", ("OPENROUTER_API_BASE",)),
    "groq": Provider(("GROQ_API_KEY",), "gsk_", ("GROQ_API_BASE",)),
    "mistral": Provider(("MISTRAL_API_KEY",)),
    "deepseek": Provider(("DEEPSEEK_API_KEY",), "sk-", ("DEEPSEEK_API_BASE",)),
    "xai": Provider(("XAI_API_KEY",), "xai-", ("XAI_API_BASE",)),
    "together_ai": Provider(
        ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_AI_TOKEN"),
    ),
    "fireworks_ai": Provider(
        ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
    ),
    "huggingface": Provider(("HF_TOKEN", "HUGGINGFACE_API_KEY")),
}
# Of models that are named without their provider.
_FAMILIES = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude-": "anthropic",
}


def provider_name(model_name: str) -> str | None:
    """Return the provider in `PROVIDERS` that has a model, by the prefix or the family of its name; `None` for others."""
    prefix, slash, _ = model_name.partition("/")
    if slash:
        return prefix if prefix in PROVIDERS else None
    return next((provider for start, provider in _FAMILIES.items() if model_name.startswith(start)), None)


def rate_limit_scope(model_name: str, base_url: str | None) -> str:
    """Return what shares a provider's rate limit: a server of one's own by its URL, else all models of the provider."""
    return base_url or provider_name(model_name) or model_name.partition("/")[0]
