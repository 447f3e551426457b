"""The process that works on a run for one node: `python -m cooperbench.runner.ray.claimant`, started by the node's actor.

It reads its work from standard input and writes a `NodeMessage` a line to standard output. When standard input is closed, by order or
because the actor is gone, it ends as at a SIGTERM: members end with their work captured, and its claims are free.
"""

import os
import pickle
import signal
import sys
import threading
from typing import NoReturn, TextIO

from cooperbench.errors import CooperBenchError
from cooperbench.records import Evaluation, Failure, GroupKey
from cooperbench.runner.engine.observer import Silent
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.planning.plan import Plan
from cooperbench.runner.ray.messages import NodeMessage


def encode(path: list[str], plan: Plan, options: SessionOptions) -> bytes:
    """Return the work of a claimant, for its standard input. `path` becomes its `sys.path`: agents may lie anywhere."""
    return pickle.dumps(path) + pickle.dumps((plan, options))


def main() -> int:
    """Work on the run until all of its episodes are finished."""
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not pass for messages
    signal.signal(signal.SIGTERM, _exit)  # the engine has its own answer while episodes run
    work = sys.stdin.buffer
    sys.path[:] = pickle.load(work)
    plan, options = pickle.load(work)
    threading.Thread(target=_end_with, args=(work.fileno(),), daemon=True).start()
    _say(said, _work_on(plan, options, said))
    return 0


def _work_on(plan: Plan, options: SessionOptions, said: TextIO) -> NodeMessage:
    from cooperbench.runner.running import execute

    try:
        result = execute(plan, options, _Speaker(said))
    except CooperBenchError as error:
        return NodeMessage(kind="refused", text=error.message, subject=error.subject, hint=error.hint)
    except SystemExit:
        return NodeMessage(kind="interrupted")
    return NodeMessage(kind="interrupted" if result.interrupted else "ended", text=result.stopped)


class _Speaker(Silent):
    """Passes on what the record does not say."""

    def __init__(self, said: TextIO) -> None:
        self._said = said

    def note(self, text: str) -> None:
        """Say it."""
        _say(self._said, NodeMessage(kind="note", text=text))

    def evaluated(self, group: GroupKey, verdict: Evaluation | Failure) -> None:
        """Say why there is no evaluation, if there is none."""
        if isinstance(verdict, Failure):
            self.note(f"{group}  not evaluated: {verdict.message}")


def _say(said: TextIO, message: NodeMessage) -> None:
    try:
        said.write(message.model_dump_json() + "\n")
        said.flush()
    except BrokenPipeError:  # the actor is gone, and standard input says so as well
        return


def _end_with(work: int) -> None:
    """Wait until standard input is closed, and end the process in order."""
    while os.read(work, 1):  # a buffered read would hold a lock that the end of the interpreter needs
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _exit(*_: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
