"""`coop task`: the task board from inside a sandbox."""

from cooperbench.collaboration.board import BoardAnswer, BoardTask, TaskBoard
from cooperbench.collaboration.calls import Call, Reply, Service, refuse

_USAGE = {
    "task list": "show the tasks of the team, and who does what",
    'task add "TEXT"': "put a task on the list",
    "task claim NUMBER": "take a task on",
    "task done NUMBER": "mark your task as done",
}


def board_service(agent_id: str, board_url: str) -> Service:
    """The part of a line that the task board needs."""
    board = TaskBoard(agent_id=agent_id, url=board_url)
    return Service(handlers={"task": lambda call: _task(board, call)}, usage=_USAGE, close=board.close)


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
    return f"{task.number}. [{state}] {task.text}\n"
