"""The shell of a person in the sandbox: with a terminal where the image has something to make one, else line by line."""

import posixpath
import shlex
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from cooperbench.agents.human.protocol import TerminalSize
from cooperbench.environments import Environment, Stream
from cooperbench.errors import SandboxError

FOLDER = "/tmp/.cooperbench-person"
_SECONDS = 30.0
_TERMINALS = (
    ("python3", """python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])' {shell}"""),
    ("script", "script -q -f -c {quoted} /dev/null"),
)
"""Programs that make a terminal, and how each runs a command in it."""
_SETTINGS = """[ -f ~/.bashrc ] && [ -n "$BASH_VERSION" ] && . ~/.bashrc
stty rows {rows} cols {columns} 2>/dev/null
tty >{folder}/tty 2>/dev/null
HISTFILE={folder}/history HISTSIZE=100000 HISTFILESIZE=100000 HISTTIMEFORMAT='%F %T ' HISTCONTROL=
PROMPT_COMMAND='history -a'
minutes_left() {{ echo $(( ({ends} - $(date +%s) + 59) / 60 )); }}
task() {{ cat {folder}/task.md; }}
PS1='[{agent}, $(minutes_left) min left] $PWD $ '
"""


class TypedCommand(NamedTuple):
    """A command of the person's history, with its time if the shell noted one."""

    text: str
    time: datetime | None


class PersonShell:
    """A shell in a sandbox that a person types into."""

    def __init__(self, env: Environment, agent_id: str, task: str, ends_at: datetime, size: TerminalSize) -> None:
        self._env = env
        settings = _SETTINGS.format(
            rows=size.rows, columns=size.columns, folder=FOLDER, ends=int(ends_at.timestamp()), agent=agent_id
        )
        env.write_file(posixpath.join(FOLDER, "settings"), settings.encode())
        env.write_file(posixpath.join(FOLDER, "task.md"), task.encode("utf-8", "replace"))
        found = env.execute('printf "%s\\n" "$PATH"; command -v bash; command -v python3; command -v script; true')
        path, *programs = found["output"].splitlines() or [""]
        names = {posixpath.basename(program) for program in programs}
        shell = f"bash --rcfile {FOLDER}/settings -i" if "bash" in names else "sh -i"
        self.has_terminal = any(name in names for name, _ in _TERMINALS)
        in_terminal = (
            form.format(shell=shell, quoted=shlex.quote(shell)) for name, form in _TERMINALS if name in names
        )
        command = next(in_terminal, f"{shell} 2>&1")
        exports = f"export PATH={shlex.quote(path)} ENV={FOLDER}/settings TERM=xterm-256color"
        self.stream: Stream = env.open_stream(f"{exports}; exec {command}")

    def resize(self, size: TerminalSize) -> None:
        """Tell the sandbox's terminal its new size."""
        script = f'stty -F "$(cat {FOLDER}/tty)" rows {size.rows} cols {size.columns}'
        with suppress(SandboxError):
            self._env.run_script(script, timeout=_SECONDS)

    def history(self) -> list[TypedCommand]:
        """Read what was typed; empty for a shell that keeps no history."""
        try:
            text = self._env.read_file(posixpath.join(FOLDER, "history")).decode("utf-8", "replace")
        except (FileNotFoundError, SandboxError):
            return []
        found: list[TypedCommand] = []
        time = None
        for line in text.splitlines():
            if line.startswith("#") and line[1:].isdecimal():
                time = datetime.fromtimestamp(int(line[1:]), UTC)
            elif time is None and found:  # another line of the same command
                found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")
            else:
                found.append(TypedCommand(line, time))
                time = None
        return found

    def close(self) -> None:
        """End the shell. Twice is fine."""
        self.stream.close()
