"""The entry point. Asked for nothing but help, it answers without importing click, which takes 70 of 90 milliseconds."""

import sys

from cooperbench.cli.commands import COMMANDS, SUMMARY


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the work failed, 2 bad usage, 130 interrupted."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(overview())
        sys.exit(0)
    from cooperbench.cli.program import run

    run()


def overview() -> str:
    """What `cooperbench --help` prints."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())
    return f"""Usage: cooperbench [OPTIONS] COMMAND [ARGS]...

  {SUMMARY}

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
{commands}

  `cooperbench COMMAND --help` tells more of each."""


if __name__ == "__main__":
    main()
