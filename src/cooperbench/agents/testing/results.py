"""Agents that return nonsense, raise, or leave too much behind."""

from typing import Any, cast

from cooperbench.agents.budget import current_budget
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.agents.testing.work import good_result, misbehaving
from cooperbench.environments import Environment
from cooperbench.errors import LimitReachedError
from cooperbench.records import Usage


class UnprintableError(Exception):
    """An exception whose text raises another."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@misbehaving("work")
def work(env: Environment) -> AgentResult:
    """Behave: work, clean up, submit."""
    env.cleanup()
    return good_result()


@misbehaving("raise")
def raise_exception(env: Environment) -> AgentResult:
    """Raise an exception."""
    raise ValueError("the agent's own mistake")


@misbehaving("unprintable")
def raise_unprintable(env: Environment) -> AgentResult:
    """Raise an exception whose text raises another."""
    raise UnprintableError


@misbehaving("none")
def return_nothing(env: Environment) -> AgentResult:
    """Forget to return a result."""
    env.cleanup()
    return cast("AgentResult", None)


@misbehaving("wrong_type")
def return_dictionary(env: Environment) -> AgentResult:
    """Return a dictionary instead of a result."""
    env.cleanup()
    return cast("AgentResult", {"status": "Submitted", "patch": ""})


@misbehaving("negative_cost")
def return_negative_cost(env: Environment) -> AgentResult:
    """Claim to have earned money."""
    env.cleanup()
    return good_result(cost=-1.0)


@misbehaving("result")
def return_fields(env: Environment, **fields: Any) -> AgentResult:
    """Return a result with the given fields."""
    env.cleanup()
    return good_result(**fields)


@misbehaving("no_cleanup")
def leave_environment(env: Environment) -> AgentResult:
    """Submit, and leave the sandbox open."""
    return good_result()


@misbehaving("many_messages")
def return_many_messages(env: Environment, count: int = 1_000_000) -> AgentResult:
    """Return a history of very many messages."""
    env.cleanup()
    return good_result(messages=[{"role": "user", "content": "x"}] * count)


@misbehaving("huge_file")
def write_huge_file(env: Environment, megabytes: int = 1024) -> AgentResult:
    """Leave a huge file in the repository, besides the work."""
    env.execute(f"head -c {megabytes}M /dev/zero > huge.bin")
    env.cleanup()
    return good_result()


@misbehaving("swallow_limits")
def swallow_limits(env: Environment, calls: int = 1000) -> AgentResult:
    """Call a model again and again, and ignore that the budget is used up."""
    env.cleanup()
    budget = current_budget()
    for _ in range(calls):
        try:
            budget.before_call()
        except LimitReachedError:
            continue
        budget.charge(Usage(cost=0.01, input_tokens=100, output_tokens=10))
    return good_result(steps=calls, cost=0.01 * calls)


@register("testing/chatter")
class Chatters:
    """Sends very many messages to its teammates, and reads none."""

    def __init__(self, count: int = 10_000) -> None:
        self.count = count

    def run(self, task: str, image: str, **kwargs: Any) -> AgentResult:
        """Send the messages."""
        with AgentSession(image, **kwargs) as session:
            if session.mailbox is not None:
                for number in range(self.count):
                    session.mailbox.broadcast(f"message {number}")
            return session.result("Submitted", steps=1)
