"""`human`: the member's side of a person: shows the task, messages and the clock, and hands in when they leave."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cooperbench.agents.budget import current_budget
from cooperbench.agents.human.shell import PersonShell, TypedCommand
from cooperbench.agents.human.terminal import PersonTerminal
from cooperbench.agents.journal import current_journal
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.collaboration.message import shown_message
from cooperbench.environments import Check
from cooperbench.errors import MailboxError
from cooperbench.records import utc_now
from cooperbench.records.visible import visible

LOOK = 1.0
"""Seconds between looks for messages."""
WARNINGS = (10, 5, 1)
"""Minutes before the end."""
LOG = "terminal.log"


@register("human")
class HumanRunner:
    """A person at a terminal: a shell in the sandbox, with `coop`, messages as they come, and the time that is left."""

    default_model = "person"
    one_at_a_time = True
    """A person works on one episode at a time."""

    def checks(self, model_name: str, config: dict[str, Any] | None) -> Iterator[Check]:
        """Yield what keeps a person from taking part."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            detail = "a person needs a terminal, and this command has none"
            yield Check(name="the agent human", ok=False, detail=detail, fix="type the command in a terminal")

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        log_dir: str | None = None,
        **others: Any,
    ) -> AgentResult:
        """Wait for a person, and let them work until they leave or are stopped."""
        ends_at = utc_now() + timedelta(seconds=current_budget().limits.wall_time)
        with AgentSession(image, agent_id=agent_id, **others) as session, PersonTerminal() as terminal:
            current_budget().offer_terminal(terminal.path)
            terminal.wait_for_person()
            current_budget().offer_terminal(None)
            shell = PersonShell(session.env, agent_id, task, ends_at, terminal.size)
            typed: list[TypedCommand] = []
            try:
                terminal.connect(shell, _greeting(task, ends_at), Path(log_dir) / LOG if log_dir else None)
                _attend(terminal, session, ends_at)
            except KeyboardInterrupt:
                # A terminal that is closed stops the run too, and whoever sat there has left.
                if not terminal.left.wait(LOOK):
                    over = utc_now() >= ends_at - timedelta(seconds=2 * LOOK)
                    terminal.show(f"\n{'Your time is up' if over else 'The run is stopped'}; your work is taken.")
                    raise
            finally:
                shell.close()
                typed = shell.history()
                for message in _messages(task, typed):
                    current_journal().add(message)
            terminal.show("\nYour work is taken.")
            return session.result("Submitted", steps=len(typed), messages=list(_messages(task, typed)))


def _greeting(task: str, ends_at: datetime) -> str:
    minutes = (ends_at - utc_now()).total_seconds() / 60
    return (
        f"{visible(task)}\n"
        f"---\nYour time ends at {ends_at.astimezone():%H:%M:%S}, in {minutes:.0f} min. `task` shows this again. "
        "Leave with `exit` or Ctrl-D when you have finished: what is in this folder then is your work.\n"
    )


def _attend(terminal: PersonTerminal, session: AgentSession, ends_at: datetime) -> None:
    """Show messages and the time that is left, until the person has left."""
    due = [minutes for minutes in WARNINGS if ends_at - utc_now() > timedelta(minutes=minutes)]
    while not terminal.left.wait(LOOK):
        with suppress(MailboxError):
            for message in session.mailbox.receive() if session.mailbox is not None else ():
                terminal.show(f"\n{visible(shown_message(message))}")
        if due and ends_at - utc_now() <= timedelta(minutes=due[0]):
            minutes = due.pop(0)
            terminal.show(f"\nYour time ends in {minutes} minute{'s' if minutes > 1 else ''}.")


def _messages(task: str, typed: list[TypedCommand]) -> Iterator[dict[str, Any]]:
    """Yield the history in the chat format: each command that was typed is an answer."""
    yield {"role": "user", "content": task}
    for number, command in enumerate(typed, 1):
        function = {"name": "bash", "arguments": json.dumps({"command": command.text})}
        extra = {"timestamp": command.time.isoformat()} if command.time else {}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        yield {"role": "assistant", "content": None, "tool_calls": [call], "extra": extra}
