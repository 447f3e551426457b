"""The entry point. It prints the overview without importing click, which takes 70 of 90 milliseconds."""

import sys
from collections.abc import Sequence

from cooperbench._interrupts import keep_interrupts
from cooperbench.cli.commands import COMMANDS, SUMMARY


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 the work failed, 2 bad usage, 130 interrupted.

    `arguments` are the words after `cooperbench`; those of the process by default.
    """
    words = tuple(sys.argv[1:] if arguments is None else arguments)
    if words in (("-h",), ("--help",)):
        print(overview())
        return 0
    before = keep_interrupts()
    try:
        from cooperbench.cli.program import run

        return run(words)
    except KeyboardInterrupt:
        return 130
    finally:
        sys.unraisablehook = before


def overview() -> str:
    """Return the output of `cooperbench --help`."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())
    return f"""Usage: cooperbench [OPTIONS] COMMAND [ARGS]...

  {SUMMARY}

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
{commands}

  Run `cooperbench COMMAND --help` for the options of a command."""


if __name__ == "__main__":
    sys.exit(main())
