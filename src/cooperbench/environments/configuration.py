"""The user's own defaults for backends: one small TOML file with a table for each backend.

`$COOPERBENCH_CONFIG_DIR/config.toml`, or `config.toml` in the platform's configuration folder (`~/.config/cooperbench` on Linux).
It holds names of projects, zones, profiles, never a secret: those stay with the providers' own tools.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path

from cooperbench.errors import UsageError
from cooperbench.records import write_bytes

SECRET = re.compile(r"token|secret|password|key|credential", re.IGNORECASE)
HEADER = "# Defaults of CooperBench for each backend; `cooperbench config` writes this file. No secrets belong here.\n"


def config_path() -> Path:
    """Where the file is, whether it exists or not."""
    configured = os.environ.get("COOPERBENCH_CONFIG_DIR")
    folder = Path(configured).expanduser() if configured else user_config_path("cooperbench", appauthor=False)
    return folder / "config.toml"


def read_config(backend: str) -> dict[str, str]:
    """A backend's table; empty when there is none. Raises `UsageError` for an unreadable file."""
    return dict(_read().get(backend, {}))


def write_config(backend: str, values: Mapping[str, str]) -> Path:
    """Replace a backend's table and return the file's path. Refuses names that sound like secrets."""
    for name in values:
        if SECRET.search(name):
            raise UsageError(
                f"{name!r} sounds like a secret, and {config_path()} is not the place for one", subject=name
            )
    tables = {**_read(), backend: dict(values)}
    text = HEADER
    for table, entries in sorted(tables.items()):
        if entries:
            lines = (f"{name} = {json.dumps(value)}" for name, value in sorted(entries.items()))
            text += f"\n[{table}]\n" + "\n".join(lines) + "\n"
    write_bytes(config_path(), text.encode())
    return config_path()


def _read() -> dict[str, dict[str, str]]:
    path = config_path()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"cannot read {path}: {error}", subject=str(path), hint="mend or remove the file") from error
    tables = {}
    for backend, entries in content.items():
        if not isinstance(entries, dict):
            raise UsageError(f"{path}: {backend!r} is no table", subject=str(path), hint="mend or remove the file")
        tables[backend] = {name: str(value) for name, value in entries.items()}
    return tables
