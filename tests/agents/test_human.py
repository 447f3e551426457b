"""`-a human`: people at real terminals work as members, and their work is taken however they leave."""

import os
import pty
import re
import select
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cooperbench.agents.registry import get_runner
from cooperbench.records import Ending
from cooperbench.records.runs import read_run
from cooperbench.runner import RunRequest, SessionOptions, make_plan
from cooperbench.runner.dry_run import preview
from tests.command_line import PROGRAM, cooperbench

PROMPT = r"\[{agent}, \d+ min left\] /workspace/repo \$ "
PATIENCE = 60.0


class Person:
    """Somebody at a terminal, who has typed a command."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.chdir(cwd)
            os.execve(PROGRAM, ["cooperbench", *arguments], {**os.environ, "TERM": "xterm"})
        self.seen = ""

    def types(self, text: str) -> None:
        """Type without a line end."""
        os.write(self._terminal, text.encode())

    def sees(self, pattern: str) -> str:
        """Read until the screen has shown something new, and return that."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < end, f"{pattern!r} is not in {self.seen!r}"
            if select.select([self._terminal], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._terminal, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"the command ended without {pattern!r}: {self.seen!r}") from None
        self.seen = self.seen[found.end() :]
        return found[0]

    def ends(self) -> int:
        """Read on until the command has ended, and return its exit code."""
        with suppress(OSError):
            while os.read(self._terminal, 65536):
                pass
        return self.hangs_up()

    def hangs_up(self) -> int:
        """Close the terminal, and return the exit code of the command."""
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.needs("sandbox")
def test_two_people_talk_and_leave_in_their_ways(tmp_path: Path) -> None:
    task = ("-s", "demo", "-r", "shelfdb", "-f", "1,2", "--no-auto-eval", "--wall-time", "35")
    one = Person("run", "-n", "people", "-a", "human", *task, cwd=tmp_path)
    one.sees(
        r"agent2 of shelfdb_task/1/f1_f2 waits for a person; in another terminal: cooperbench runs join people agent2"
    )
    one.sees(r"# Your feature|Add query operators for text")
    one.sees(r"Your time ends at \d\d:\d\d:\d\d, in \d+ min")
    one.sees(PROMPT.format(agent="agent1"))
    other = Person("runs", "join", "people", "agent2", cwd=tmp_path)
    other.sees(PROMPT.format(agent="agent2"))
    other.types("coop send agent1 'are you there'\r")
    other.sees("delivered to agent1")
    one.sees("Message from agent2:\r\n> are you there")
    other.types("sh -c 'echo begun; exec sleep 60'\r")
    other.sees("\r\n(\x1b\\[\\?2004l\r)?begun\r\n")  # before that, Ctrl-C would be the shell's
    other.types("\x03")
    other.sees(PROMPT.format(agent="agent2"))
    other.types("echo two > two.txt\r")
    other.sees(PROMPT.format(agent="agent2"))
    assert other.hangs_up() != 0
    one.types("task | head -1; echo one > one.txt; tty\r")
    one.sees("/dev/pts/")
    one.sees("agent2 has finished")
    one.sees("Your time is up; your work is taken.")
    one.sees("1/1 episodes completed")
    assert one.ends() == 0

    [episode] = read_run("people", tmp_path / "logs").episodes
    assert episode.result is not None
    assert {name: member.ending for name, member in episode.result.agents.items()} == {
        "agent1": Ending.TIMEOUT,
        "agent2": Ending.SUBMITTED,
    }
    assert "+one" in episode.patch("agent1")
    assert "+two" in episode.patch("agent2")
    assert episode.result.agents["agent2"].model == "person"
    assert [message.message for message in episode.conversation] == ["are you there"]
    commands = [entry.message["tool_calls"] for entry in episode.trajectory("agent2").messages[1:]]
    assert [call["function"]["arguments"] for [call] in commands] == [
        """{"command": "coop send agent1 'are you there'"}""",
        """{"command": "sh -c 'echo begun; exec sleep 60'"}""",
        '{"command": "echo two > two.txt"}',
    ]
    assert "nobody in run people waits for a person" in _joined(tmp_path)


def _joined(folder: Path) -> str:
    person = Person("runs", "join", "people", cwd=folder)
    return person.sees(r"nobody in run people waits for a person")


@pytest.mark.needs("sandbox")
def test_without_a_terminal_nothing_starts(tmp_path: Path) -> None:
    said = cooperbench("run", "-a", "human", "-s", "demo", "-r", "shelfdb", "-f", "1,2", cwd=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "a person needs a terminal" in said.err
    assert not (tmp_path / "logs").exists()
    [check] = get_runner("human").checks("person", None)  # type: ignore[attr-defined]
    assert check.blocks


def test_a_person_works_on_one_episode_at_a_time(tmp_path: Path) -> None:
    request = RunRequest(team="mini_swe_agent:gpt-4o,human", subset="demo", repo="shelfdb", log_dir=tmp_path)
    plan = make_plan(request)
    assert [member.model for member in plan.config.team] == ["gpt-4o", "person"]
    assert preview(plan, SessionOptions(concurrency=9)).concurrency == 1
