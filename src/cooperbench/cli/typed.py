"""Commands in what we print, in the form in which they can be typed here."""

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cooperbench.records.run_result import RunResult

_COMMAND = re.compile(r"(?<![\w/.-])cooperbench (?=[a-z])")


def as_typed(text: str) -> str:
    """Return `text` with `cooperbench COMMAND` as the user has to type it: with its folder when that is not on the path."""
    program = _program()
    if "/" in program and text.startswith("cd "):  # a relative path would lead elsewhere there
        program = str(Path(program).absolute())
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


def lead_on(result: "RunResult") -> None:
    """Print the command that shows the first episode that did not pass, or the first one."""
    from cooperbench.records.paths import default_log_dir

    judged = [episode for episode in result.episodes if episode.result is not None]
    failed = [episode for episode in judged if not episode.passed]
    shown = next(iter(failed or judged), None)
    folder = result.directory.parent
    if shown is not None:
        given = None if folder == default_log_dir().absolute() else folder
        print_next(f"cooperbench runs show {result.directory.name} {shown.group}", log_dir=given)
