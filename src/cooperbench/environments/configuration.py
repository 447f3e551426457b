"""The user's defaults for backends: one small TOML file with a table per backend.

`$COOPERBENCH_CONFIG_DIR/config.toml`, or `config.toml` in the platform's configuration folder (`~/.config/cooperbench` on Linux).
It holds names of projects, zones and profiles, never a secret: secrets stay with the providers' own tools.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from platformdirs import user_config_path
from pydantic import ValidationError

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import Record, write_bytes

SECRET = re.compile(r"token|secret|password|key|credential", re.IGNORECASE)
HEADER = "# Defaults of CooperBench for each backend; `cooperbench config` writes this file. No secrets belong here.\n"


@dataclass(frozen=True)
class Prompt:
    """Mark of a field that `cooperbench config` asks for on a terminal, in these words."""

    text: str


class BackendSettings(Record):
    """The fields of a backend's table in the file. Each has a description and becomes a flag of `cooperbench config`.

    Values given in code take precedence, then the environment, then the file.
    """

    backend: ClassVar[str]
    guide: ClassVar[str]
    """The help text of `cooperbench config BACKEND`."""
    first_steps: ClassVar[str] = ""
    """Printed before the questions: what the user has to do at the provider."""

    @classmethod
    def from_environment(cls) -> dict[str, str]:
        """Return the values that environment variables give."""
        return {}

    @classmethod
    def resolve(cls, given: Mapping[str, str]) -> Self:
        """Complete what was given. Raises `UsageError` naming what is missing or wrong."""
        stored = read_config(cls.backend)
        for name in stored:
            if name not in cls.model_fields:
                raise UnknownNameError(f"setting of {cls.backend} in the config file", name, sorted(cls.model_fields))
        values = {**stored, **cls.from_environment(), **given}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            if not values.get(name):
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(
                    f"{cls.backend} needs {name}, which is not set",
                    subject=name,
                    hint=f"cooperbench config {cls.backend} {flag} VALUE",
                ) from error
            raise UsageError(f"{cls.backend}: {name}={values[name]!r}: {first['msg']}", subject=name) from error


def config_path() -> Path:
    """Return the path of the file, which may not exist."""
    configured = os.environ.get("COOPERBENCH_CONFIG_DIR")
    folder = Path(configured).expanduser() if configured else user_config_path("cooperbench", appauthor=False)
    return folder / "config.toml"


def read_config(backend: str) -> dict[str, str]:
    """Return a backend's table, empty when there is none. Raises `UsageError` for an unreadable file."""
    return dict(_read().get(backend, {}))


def write_config(backend: str, values: Mapping[str, str]) -> Path:
    """Replace a backend's table and return the path of the file. Comments, and values that do not change, stay as they are.

    Raises `UsageError` for a name that sounds like a secret, and for an unreadable file.
    """
    import tomlkit  # 40 ms, which reading need not pay

    path = config_path()
    for name in values:
        if SECRET.search(name):
            raise UsageError(f"{name!r} sounds like a secret, and {path} is not the place for one", subject=name)
    _read()  # raises for a file that would be lost
    document = tomlkit.parse(path.read_bytes().decode() if path.exists() else HEADER)
    table = document.setdefault(backend, tomlkit.table())
    for name in [name for name in table if name not in values]:
        del table[name]
    for name, value in sorted(values.items()):
        if name not in table or str(table[name]) != value:
            table[name] = value
    if not table:
        del document[backend]
    write_bytes(path, tomlkit.dumps(document).encode())
    return path


def _read() -> dict[str, dict[str, str]]:
    path = config_path()
    hint = "fix or remove the file"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError, OSError) as error:
        raise UsageError(f"cannot read {path}: {error}", subject=str(path), hint=hint) from error
    for backend, entries in content.items():
        if not isinstance(entries, dict):
            raise UsageError(f"{path}: {backend!r} is not a table", subject=str(path), hint=hint)
    return {backend: {name: str(value) for name, value in entries.items()} for backend, entries in content.items()}
