"""Commands in what we print, in the form in which they can be typed here."""

import re
import shutil
import sys
from pathlib import Path

import click

_COMMAND = re.compile(r"(?<![\w/.-])cooperbench (?=[a-z])")


def as_typed(text: str) -> str:
    """Return `text` with `cooperbench COMMAND` as the user has to type it: with its folder when that is not on the path."""
    program = _program()
    return _COMMAND.sub(lambda _: f"{program} ", text) if program != "cooperbench" else text


def _program() -> str:
    started = Path(sys.argv[0])
    if started.name != "cooperbench" or not started.is_file():  # started by `python -m`, or by a test
        return "cooperbench"
    found = shutil.which("cooperbench")
    if found and Path(found).samefile(started):
        return "cooperbench"
    here = Path.cwd()
    path = started.absolute()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def print_next(command: str, **options: object) -> None:
    """Print the command that goes on from here, with those of the options, such as `log_dir`, that were given."""
    given = "".join(f" --{name.replace('_', '-')} {value}" for name, value in options.items() if value is not None)
    click.echo(f"next: {as_typed(command)}{given}")
