"""Names of runs."""

import re

from cooperbench.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def check_run_name(name: str) -> str:
    """Return `name`. Raises `UsageError` when it is not a plain name that can be a folder."""
    if "/" in name or "\\" in name or name in (".", ".."):
        raise UsageError(
            f"run name {name!r} has a path in it",
            subject=name,
            hint="give a plain name with --name, and the folder with --log-dir",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"run name {name!r} cannot be used",
            subject=name,
            hint="use letters, digits, '.', '_', '+' and '-', at most 100 of them, the first a letter or digit",
        )
    return name


def default_run_name(*parts: str | None) -> str:
    """A name made of what the run is about, the same each time, so that repeating a command resumes its run."""
    words = (re.sub(r"[^A-Za-z0-9._+-]+", "-", part).strip("-.") for part in parts if part)
    return "-".join(word for word in words if word)[:100].rstrip("-.")
