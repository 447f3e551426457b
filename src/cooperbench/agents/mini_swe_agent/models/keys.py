"""Find out before a run whether a model's provider is known, and whether its key is there and looks like one.

The providers that most users have are in a table, because importing LiteLLM takes 4 to 8 seconds; LiteLLM knows the others.
"""

import os
import re
import socket
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.known_providers import PROVIDERS, Provider, provider_name
from cooperbench.agents.mini_swe_agent.models.litellm_model import load_litellm
from cooperbench.environments import Check
from cooperbench.errors import suggestion

CONNECT_SECONDS = 3.0
_SERVERS = "-m provider/model, see https://docs.litellm.ai/docs/providers, or --base-url for a server of your own"
_PLACEHOLDER = re.compile(r"^<|^\W*your|your[-_]|\.\.\.|change.?me|x{8}|placeholder", re.IGNORECASE)


def key_checks(model_name: str, settings: ModelConfig) -> Iterator[Check]:
    """Yield a failed check for a model that nobody can call as things are.

    Its provider is unknown, its key is missing or cannot be one, or nothing listens at its `base_url`.
    """
    name = f"the model {model_name}"
    if settings.base_url and (fault := _unreachable(settings.base_url)):
        fix = "start the server, or correct --base-url"
        yield Check(name=name, ok=False, detail=f"no server answers at {settings.base_url}: {fault}", fix=fix)
    elsewhere = settings.base_url or settings.model_kwargs.keys() & {"api_base", "base_url", "api_key"}
    if settings.api_key_env:
        yield from _key_checks(name, Provider((settings.api_key_env,)))
    elif settings.base_url:
        if os.environ.get("OPENAI_API_KEY"):
            yield from _key_checks(name, Provider(("OPENAI_API_KEY",)))
    elif provider := provider_name(model_name):
        if not elsewhere:
            yield from _key_checks(name, PROVIDERS[provider])
    elif not elsewhere:
        yield from _litellm_checks(name, model_name)


def _key_checks(name: str, provider: Provider) -> Iterator[Check]:
    found = next(
        ((variable, os.environ[variable]) for variable in provider.variables if os.environ.get(variable)), None
    )
    if found is None:
        needed = " or ".join(provider.variables[:2])
        fix = f"export {provider.variables[0]}=..., or write it into the file .env in this folder"
        yield Check(name=name, ok=False, detail=f"needs the environment variable {needed}", fix=fix)
        return
    variable, value = found
    prefix = "" if any(os.environ.get(address) for address in provider.addresses) else provider.prefix
    # A token of another kind, such as ANTHROPIC_AUTH_TOKEN, has no known form.
    if fault := _fault(value, prefix if variable == provider.variables[0] else ""):
        fix = f"set {variable} to the key of this provider"
        if prefix and provider.addresses:
            fix += f"; for another server with keys of its own, set {provider.addresses[0]} too"
        yield Check(name=name, ok=False, detail=f"{variable} does not hold a key: {fault}", fix=fix)


def _fault(value: str, prefix: str) -> str | None:
    """Say why a value cannot be a key, without repeating it."""
    if not value.isascii() or any(character.isspace() or not character.isprintable() for character in value):
        return "it has a space, a line break or another character that keys do not have"
    if value[0] in "'\"" or value[-1] in "'\"":
        return "it has quotation marks around it"
    if _PLACEHOLDER.search(value):
        return "it is a placeholder"
    if prefix and not value.startswith(prefix):
        return f"it does not begin with {prefix}"
    return None


def _unreachable(url: str) -> str | None:
    """Say why nothing can listen at a URL; `None` for what a slow network or a proxy may explain."""
    parts = urlsplit(url)
    if parts.hostname is None or (parts.scheme in getproxies() and not proxy_bypass(parts.hostname)):
        return None
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()
    except (ConnectionRefusedError, socket.gaierror) as error:
        return error.strerror or str(error)
    except (OSError, ValueError, KeyError):
        return None
    return None


def _litellm_checks(name: str, model_name: str) -> Iterator[Check]:
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(model_name)
    except Exception:  # of many kinds
        yield Check(name=name, ok=False, detail=_unknown(litellm, model_name), fix=_SERVERS)
        return
    found = litellm.validate_environment(model=model_name)
    missing = [] if found.get("keys_in_environment") else list(found.get("missing_keys") or ())
    # Several variables, or one that is not a key: there are other ways to log in, which LiteLLM does not list.
    if len(missing) == 1 and missing[0].endswith("_API_KEY"):
        yield from _key_checks(name, Provider((missing[0],)))


def _unknown(litellm: Any, model_name: str) -> str:
    provider, slash, rest = model_name.partition("/")
    providers = [str(getattr(each, "value", each)) for each in litellm.provider_list]
    known = [f"{each}/{rest}" for each in get_close_matches(provider, providers, n=1)] if slash else []
    return "no provider is known that has it" + suggestion(model_name, known or litellm.model_list, otherwise="")
