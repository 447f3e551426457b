"""The npm registry that this machine is set up for, as npm itself finds it.

In npm's order: variables of the environment, the user's `.npmrc`, npm's own default, which only npm knows. Scopes may have a
registry of their own (`@scope:registry=`), and registries a token (`//host/path/:_authToken=`).
"""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cooperbench.errors import UsageError

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
NPM_SECONDS = 60.0


class NpmRegistry(NamedTuple):
    """An address, without a slash at its end, and the headers that it wants."""

    address: str
    headers: dict[str, str]

    def url(self, package: str, version: str) -> str:
        """Return the address of what the registry says about one version of a package."""
        return f"{self.address}/{quote(package, safe='@')}/{quote(version)}"


def npm_registry(package: str) -> NpmRegistry:
    """Return the registry of a package. Raises `UsageError` where nobody says which one to use."""
    settings = _settings()
    scope = package.partition("/")[0] if package.startswith("@") else ""
    address = settings.get(f"{scope}:registry") or settings.get("registry") or _default()
    if not address:
        raise UsageError(
            "no npm registry is set up on this machine",
            hint="install npm, or set npm_config_registry to the address of a registry",
        )
    address = address.rstrip("/")
    place = re.sub(r"^https?:", "", address)
    token = settings.get(f"{place}/:_authToken") or settings.get(f"{place}:_authToken")
    basic = settings.get(f"{place}/:_auth") or settings.get(f"{place}:_auth")
    authorization = f"Bearer {token}" if token else f"Basic {basic}" if basic else None
    return NpmRegistry(address, {"Authorization": authorization} if authorization else {})


def _settings() -> dict[str, str]:
    """Return what the user has set, with later places winning."""
    prefix = "npm_config_"
    lower = {name.lower(): value for name, value in os.environ.items() if name.lower().startswith(prefix)}
    file = lower.get("npm_config_userconfig") or "~/.npmrc"
    found = _read(Path(file).expanduser())
    for name, value in os.environ.items():
        if name.lower().startswith(prefix) and value:
            key = name[len(prefix) :]
            found[key.lower() if key.isupper() else key] = value
    return found


def _read(path: Path) -> dict[str, str]:
    """Read a `.npmrc`: `key = value`, `;` and `#` begin comments, `${NAME}` is a variable of the environment."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith((";", "#")):
            plain = value.strip().strip("\"'")
            found[key.strip()] = _VARIABLE.sub(lambda name: os.environ.get(name[1], name[0]), plain)
    return found


@cache
def _default() -> str | None:
    npm = shutil.which("npm")
    if npm is None:
        return None
    try:
        done = subprocess.run(
            [npm, "config", "get", "registry"], capture_output=True, text=True, timeout=NPM_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    address = done.stdout.strip()
    return address if done.returncode == 0 and address.startswith("http") else None
