"""The task board of a team: a list that all members see, on which at most one of them takes each task.

It lives in the broker, next to the messages and independent of them. Every operation is one script call, so when several members
claim a task at the same moment, exactly one gets it. Nothing is removed: the log of who added, claimed and finished what is
the record.
"""

import uuid
from typing import Literal, NamedTuple

from pydantic import AwareDatetime

from cooperbench.collaboration._store import MailboxAddress, Store, open_store, text_of
from cooperbench.collaboration.message import broker_time
from cooperbench.collaboration.rpc import Call, CoopTool, Handler, Reply, Service, parameter, refuse
from cooperbench.errors import UsageError
from cooperbench.records import AgentId, Record
from cooperbench.records.visible import one_line

TEXT_LIMIT = 2000
"""Characters of one task's text."""

_USAGE = {
    "task list": "show the tasks of the team and who does what",
    'task add "TEXT"': "put a task on the list",
    "task claim NUMBER": "claim a task",
    "task done NUMBER": "mark your task as done",
}

Action = Literal["add", "claim", "done"]


class BoardTask(Record):
    """One task on the board."""

    number: int
    text: str
    added_by: AgentId
    owner: AgentId | None = None
    done: bool = False


class BoardAnswer(NamedTuple):
    """The result of one operation."""

    number: int
    refused: str | None
    """Why the operation was refused, such as another owner of the task."""


class BoardEvent(Record):
    """One attempted operation."""

    time: AwareDatetime
    agent_id: AgentId
    action: Action
    number: int
    text: str
    refused: str | None = None


class TaskBoard:
    """The board as one member uses it. `url` is an address of the broker, as in `MessagingConnector`.

    Raises `MailboxUnavailableError` when the broker stays away.
    """

    def __init__(self, *, agent_id: str, url: str) -> None:
        address = MailboxAddress.parse(url)
        self._agent_id = agent_id
        self._prefix = address.prefix
        self._store = Store(address.server)

    def add(self, text: str) -> BoardAnswer:
        """Put a task on the board and return its number."""
        text = " ".join(text.split())
        if not text or len(text) > TEXT_LIMIT:
            raise UsageError(f"a task needs a text of 1 to {TEXT_LIMIT} characters, not {len(text)}")
        return self._do("add", text)

    def claim(self, number: int) -> BoardAnswer:
        """Claim a task. Refused when a teammate that is still at work has it. Claiming twice is fine."""
        return self._do("claim", number)

    def done(self, number: int) -> BoardAnswer:
        """Mark a task as done. Refused when it belongs to a teammate."""
        return self._do("done", number)

    def tasks(self) -> list[BoardTask]:
        """Return all tasks in the order in which they were added."""
        content: dict[bytes, bytes] = self._store.command("HGETALL", f"{self._prefix}board")
        fields = {text_of(name): text_of(value) for name, value in content.items()}
        return [
            BoardTask(
                number=number,
                text=fields[f"text:{number}"],
                added_by=fields[f"by:{number}"],
                owner=fields.get(f"owner:{number}"),
                done=f"done:{number}" in fields,
            )
            for number in range(1, int(fields.get("count", "0")) + 1)
        ]

    def close(self) -> None:
        """Close the connection. Closing twice is fine."""
        self._store.close()

    def _do(self, action: Action, argument: str | int) -> BoardAnswer:
        number, refused = self._store.run("board", self._prefix, self._agent_id, uuid.uuid4().hex, action, argument)
        return BoardAnswer(number, text_of(refused) or None)


def read_board(url: str) -> list[BoardEvent]:
    """Return everything that was attempted on an episode's board, in the broker's order. `url` is the harness's address."""
    with open_store(url) as (store, prefix):
        entries = store.command("XRANGE", f"{prefix}board:log", "-", "+")
    return [_event({text_of(name): text_of(value) for name, value in fields.items()}) for _, fields in entries]


def _event(fields: dict[str, str]) -> BoardEvent:
    refused = fields.pop("refused") or None
    return BoardEvent.model_validate({**fields, "time": broker_time(fields["time"]), "refused": refused})


def board_service(agent_id: str, board_url: str) -> Service:
    """Return the commands of the task board."""
    board = TaskBoard(agent_id=agent_id, url=board_url)

    def handle(call: Call) -> Reply:
        return _task(board, call)

    return Service(handlers={"task": handle}, usage=_USAGE, tools=_tools(handle), close=board.close)


def _tools(handle: Handler) -> tuple[CoopTool, ...]:
    number = {"number": parameter("integer", "number of the task")}
    return (
        CoopTool("list_tasks", "Show the tasks of the team and who does what.", {}, (), handle, lambda given: Call([])),
        CoopTool(
            "add_task",
            "Put a task on the list.",
            {"text": parameter("string", "the task")},
            ("text",),
            handle,
            lambda given: Call(["add", "-"], given["text"].encode(errors="replace")),
        ),
        CoopTool(
            "claim_task",
            "Claim a task.",
            number,
            ("number",),
            handle,
            lambda given: Call(["claim", str(given["number"])]),
        ),
        CoopTool(
            "finish_task",
            "Mark your task as done.",
            number,
            ("number",),
            handle,
            lambda given: Call(["done", str(given["number"])]),
        ),
    )


def _task(board: TaskBoard, call: Call) -> Reply:
    match call.arguments:
        case ["list"] | []:
            return Reply(stdout="".join(map(_line, board.tasks())).encode() or b"The list is empty.\n")
        case ["add", "-"]:
            return _answer(board.add(call.input.decode(errors="replace")), "Added task {}.")
        case ["add", *words] if words:
            return _answer(board.add(" ".join(words)), "Added task {}.")
        case ["claim", number] if number.isdecimal():
            return _answer(board.claim(int(number)), "Task {} is yours.")
        case ["done", number] if number.isdecimal():
            return _answer(board.done(int(number)), "Task {} is done.")
    return refuse("usage: coop task list | add TEXT | claim NUMBER | done NUMBER", 2)


def _answer(answer: BoardAnswer, success: str) -> Reply:
    return refuse(answer.refused) if answer.refused else Reply(stdout=f"{success.format(answer.number)}\n".encode())


def _line(task: BoardTask) -> str:
    state = f"{task.owner}, done" if task.done else task.owner or "free"
    return f"{task.number}. [{state}] {one_line(task.text)}\n"
