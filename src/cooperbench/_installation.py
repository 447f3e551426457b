"""Say how to install more of this CooperBench: from its clone, because the name on PyPI belongs to another project."""

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit


def install_command(extra: str) -> str:
    """Return the command that installs an extra where this program runs, with the installer that is there."""
    clone, editable = _origin()
    source = f"{'-e ' if editable else ''}'{clone}[{extra}]'"
    python = _short(Path(sys.executable))
    if (Path(sys.prefix) / "uv-receipt.toml").is_file():
        return f"uv tool install --force '{clone}[demo,{extra}]'"
    if find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install -p {python} {source}"
    return f"{python} -m pip install {source}"


def _origin() -> tuple[str, bool]:
    """Return the folder that CooperBench was installed from, and whether it is used in place.

    The folder is `CLONE` when the installer did not note it.
    """
    from importlib.metadata import PackageNotFoundError, distribution  # 15 ms, and only for a message

    try:
        origin = json.loads(distribution("cooperbench").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    url = urlsplit(str(origin.get("url", "")))
    folder = Path(unquote(url.path))
    if url.scheme != "file" or not (folder / "pyproject.toml").is_file():
        return "CLONE", False
    editable = bool(origin.get("dir_info", {}).get("editable"))
    return "." if folder.resolve() == Path.cwd().resolve() else str(folder), editable


def _short(path: Path) -> str:
    """Return a path below the current folder as a relative one."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
