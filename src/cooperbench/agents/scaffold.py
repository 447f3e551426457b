"""Write a working agent to begin with, for `agents new`: a small package, or the file of a command-line agent."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from cooperbench.errors import UsageError

TEMPLATE = {
    "README.md": "README.md.txt",
    "pyproject.toml": "pyproject.toml.txt",
    "config.yaml": "config.yaml.txt",
    "{name}/__init__.py": "package.txt",
    "{name}/adapter.py": "adapter.txt",
    "tests/test_{name}.py": "test.txt",
}

COMMAND_LINE_TEMPLATE = {
    "README.md": "command_line/README.md.txt",
    "{name}.yaml": "command_line/agent.yaml.txt",
    "test_{name}.py": "command_line/test.txt",
}
"""Of an agent that is a program: its file, a test and a README."""


def write_agent(name: str, directory: Path, *, template: dict[str, str] = TEMPLATE) -> Path:
    """Write the files of an agent to `directory/name` and return that path. Raises `UsageError` instead of overwriting anything."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UsageError(
            f"{name!r} is not a usable package name",
            subject=name,
            hint="use lower-case letters, digits and '_', and start with a letter: cooperbench agents new my_agent",
        )
    folder = directory / name
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} already exists and is not empty", subject=str(folder), hint="choose another name or --directory"
        )
    templates: Traversable = files("cooperbench.agents") / "template"
    class_name = "".join(part.capitalize() for part in name.split("_"))
    for target, source in template.items():
        path = folder / target.replace("{name}", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (templates / source).read_text(encoding="utf-8")
        path.write_text(text.replace("NAME", name).replace("CLASS", class_name), encoding="utf-8")
    return folder
