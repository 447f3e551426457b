"""Find agents by name: built-in ones, those of installed packages, and those that the user names.

A name is looked up in this order:

1. names that `@register` was called with, the modules in `COOPERBENCH_EXTERNAL_AGENTS`, and the files of command-line agents in
   `COOPERBENCH_AGENTS_DIR`;
2. the entry points `cooperbench.agents` of installed packages;
3. the built-in agents, of which some are named with an argument: `replay:RUN`;
4. `package.module:Class`.

So a user's agent may take the name of a built-in one; two agents of the user may not share a name. Modules are imported when
they are needed, except those in the variable: importing them registers their agents. A module that cannot be imported is an
error with its cause, because a run without that agent would be a different run.
"""

import importlib
import os
import sys
import threading
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import extract_tb
from typing import Any, NamedTuple, TypeVar

from cooperbench.agents.command_line.catalogue import FoundAgentFile, agent_file_names, agent_file_of
from cooperbench.agents.reading import safe_text
from cooperbench.agents.result import AgentRunner
from cooperbench.agents.with_argument import TAKES_ARGUMENT
from cooperbench.environments import Check
from cooperbench.environments.layers import LayerRecipe
from cooperbench.errors import CooperBenchError, UnknownNameError, UsageError
from cooperbench.records import Record

EXTERNAL_AGENTS = "COOPERBENCH_EXTERNAL_AGENTS"
ENTRY_POINTS = "cooperbench.agents"
TESTING = "testing/"
"""Prefix of the misbehaving agents for tests, which are found but not listed."""
_HERE = str(Path(__file__).parent)

BUILT_IN = {
    "mini_swe_agent": "cooperbench.agents.mini_swe_agent.adapter:MiniSweAgentRunner",
    "mini_swe_agent_v2": "cooperbench.agents.mini_swe_agent_v2:PublishedMiniSweAgentRunner",
    "gold": "cooperbench.agents.gold:GoldRunner",
    "human": "cooperbench.agents.human.runner:HumanRunner",
    "nop": "cooperbench.agents.nop:NopRunner",
}

Factory = Callable[..., AgentRunner]
AnyFactory = TypeVar("AnyFactory", bound=Callable[..., Any])


class AgentDescription(Record):
    """The description of an agent."""

    name: str
    origin: str = "built-in"
    """`built-in`, `COOPERBENCH_EXTERNAL_AGENTS`, `COOPERBENCH_AGENTS_DIR`, `registered`, `named` or `entry point of <distribution>`."""
    target: str
    """`package.module:Class`."""
    summary: str = ""
    """First line of the class's docstring."""
    error: str | None = None
    """The reason why it is unusable, if it is."""


class _Registered(NamedTuple):
    factory: Factory
    target: str
    origin: str


_lock = threading.RLock()
_registered: dict[str, _Registered] = {}
_loaded_modules: set[str] = set()
_origin = "registered"


def register(name: str) -> Callable[[AnyFactory], AnyFactory]:
    """Register a class (or a function that returns a runner) as agent `name`. Used as a decorator."""
    if not name or any(character.isspace() or character in ":,#" for character in name):
        raise UsageError(
            f"{name!r} cannot be the name of an agent",
            hint="use letters, digits, '_', '-', '.' and '/': @register('my_agent')",
        )

    def add(factory: AnyFactory) -> AnyFactory:
        target = f"{factory.__module__}:{factory.__qualname__}"
        with _lock:
            known = _registered.get(name)
            built_in = BUILT_IN.get(name) == target
            if known is not None and known.target != target:
                if built_in:
                    return factory  # the user's agent of that name stays
                if known.origin != "built-in":
                    raise UsageError(
                        f"two agents are registered as {name!r}: {known.target} and {target}",
                        subject=name,
                        hint="rename one of them in @register(...)",
                    )
            _registered[name] = _Registered(factory, target, "built-in" if built_in else _origin)
        return factory

    return add


def get_runner(name: str, config: dict[str, Any] | None = None) -> AgentRunner:
    """Return a new instance of the agent `name`, or of the class `package.module:Class`.

    `config["init"]` may hold keyword arguments for the constructor. Raises `UsageError` when the agent does not exist, or cannot
    be imported or constructed.
    """
    factory, target = _find(name)
    kind, _, argument = name.partition(":")
    given = (argument,) if kind in TAKES_ARGUMENT and target == TAKES_ARGUMENT[kind].target else ()
    arguments = (config or {}).get("init") or {}
    if not isinstance(arguments, dict):
        raise UsageError(f"`init` in the configuration of agent {name!r} must be a mapping of constructor arguments")
    try:
        runner = factory(*given, **arguments)
    except Exception as error:
        names = ", ".join(sorted(arguments)) or "none"
        raise UsageError(
            f"agent {name!r} ({target}) cannot be constructed (arguments: {names}): {describe_error(error)}",
            subject=name,
            hint="set constructor arguments in `init:` of the agent's configuration",
        ) from error
    if not callable(getattr(runner, "run", None)):
        raise UsageError(
            f"agent {name!r} ({target}) has no method run()",
            subject=name,
            hint="register a class with `def run(self, task, image, **kwargs) -> AgentResult`",
        )
    return runner


def agent_names() -> list[str]:
    """Return all names, sorted. Raises `UsageError` when a module in `COOPERBENCH_EXTERNAL_AGENTS` cannot be imported."""
    _load_external_modules()
    listed = {name for name in _registered if not name.startswith(TESTING)}
    with_argument = {f"{kind}:{takes.word}" for kind, takes in TAKES_ARGUMENT.items()}
    return sorted({*listed, *BUILT_IN, *with_argument, *_entry_points(), *agent_file_names()})


def describe(name: str) -> AgentDescription:
    """Describe the agent `name` and its origin. The description of an agent that cannot be imported holds the error."""
    _load_external_modules()
    origin, target = _where(name)
    try:
        factory, target = _find(name)
    except UsageError as error:
        return AgentDescription(name=name, origin=origin, target=target, error=str(error))
    lines = (factory.__doc__ or "").strip().splitlines()
    return AgentDescription(name=name, origin=origin, target=target, summary=lines[0] if lines else "")


def check_config(name: str, model_name: str, config: dict[str, Any] | None = None, *, agent_id: str = "agent") -> None:
    """Let the agent check the model and configuration with its method `check_config`, if it has one.

    Raises `UsageError` for what cannot work, before anything is started.
    """
    check = getattr(get_runner(name, config), "check_config", None)
    if callable(check):
        check(model_name, config, agent_id)


def checks_of(name: str, model_name: str, config: dict[str, Any] | None = None) -> tuple[Check, ...]:
    """Ask the agent what it needs on this machine, with its method `checks`, if it has one. Starts nothing."""
    checks = getattr(get_runner(name, config), "checks", None)
    return tuple(checks(model_name, config)) if callable(checks) else ()


def layer_of(name: str) -> LayerRecipe | None:
    """Return what `agents install` installs for the agent; `None` when it needs nothing."""
    layer: LayerRecipe | None = getattr(get_runner(name), "layer", None)
    return layer


def offers(name: str, part: str) -> bool:
    """Return whether the class of the agent has an optional part of the interface, such as `episode_config`. Makes no instance."""
    return bool(getattr(_find(name)[0], part, None))


def default_model(name: str, otherwise: str) -> str:
    """Return the name of the model that the agent works with when none is named; what is wrong with the agent is for others to say."""
    try:
        return str(getattr(_find(name)[0], "default_model", otherwise))
    except UsageError:
        return otherwise


def _where(name: str) -> tuple[str, str]:
    """Return the origin and target of a name without importing anything. Raises `UnknownNameError`."""
    if name in _registered:
        return _registered[name].origin, _registered[name].target
    if (file := _file_of(name)) is not None:
        return file.origin, str(file.path)
    if name in (points := _entry_points()):
        distribution = points[name].dist
        return f"entry point of {distribution.name if distribution else 'an installed package'}", points[name].value
    if name in BUILT_IN:
        return "built-in", BUILT_IN[name]
    if name.startswith(TESTING):
        return "built-in", "cooperbench.agents.testing"
    kind, _, argument = name.partition(":")
    if (takes := TAKES_ARGUMENT.get(kind)) is not None:
        if not argument.strip():
            wanted = f"{kind}:{takes.word}"
            raise UsageError(f"the agent {kind} is named with an argument: {wanted}", subject=name, hint=f"-a {wanted}")
        return "built-in", takes.target
    if ":" in name:
        return "named", name
    hint = f"set {EXTERNAL_AGENTS} to the module that registers it, or use --agent package.module:Class"
    raise UnknownNameError("agent", name, agent_names(), hint=hint)


def _find(name: str) -> tuple[Factory, str]:
    _load_external_modules()
    _, target = _where(name)
    if name in _registered:
        return _registered[name].factory, target
    file = _file_of(name)
    return (file.factory(), target) if file is not None else _load_target(name, target)


def _file_of(name: str) -> FoundAgentFile | None:
    return agent_file_of(name, taken=name in BUILT_IN or name in _entry_points())


def _load_target(name: str, target: str) -> tuple[Factory, str]:
    """Import `package.module:Class`, or a module that registers `name`."""
    module_name, _, attribute = target.partition(":")
    module = _import(module_name, f"of agent {name!r}")
    if not attribute:
        if name not in _registered:
            raise UsageError(f"module {module_name!r} does not register an agent {name!r}", subject=name)
        return _registered[name].factory, _registered[name].target
    found: object = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError(f"module {module_name!r} has no class {attribute!r}", subject=target)
    return found, target


def _load_external_modules() -> None:
    global _origin
    names = [part.strip() for part in os.environ.get(EXTERNAL_AGENTS, "").split(",")]
    with _lock:
        for name in names:
            if not name or name in _loaded_modules:
                continue
            _origin = EXTERNAL_AGENTS
            try:
                _import(name, f"in {EXTERNAL_AGENTS}")
            finally:
                _origin = "registered"
            _loaded_modules.add(name)


def _import(name: str, origin: str) -> Any:
    """Import a module that the user named. Like `python -m`, find modules in the current directory, but last."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    # Without a network, agents that use LiteLLM would wait 9 s for its price list; the package contains one.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        return importlib.import_module(name)
    except CooperBenchError:
        raise
    except Exception as error:
        raise UsageError(
            f"module {name!r} {origin} cannot be imported: {describe_error(error)}",
            subject=name,
            hint=f"python -c 'import {name}' to see the whole error",
        ) from error


def describe_error(error: BaseException) -> str:
    """Describe an error in one line: class, message, and the last line of the user's code that it passed."""
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith(("<", _HERE))]
    place = f", at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {safe_text(error)}{place}"


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}
