"""Agents that return nonsense, raise, or leave too much behind."""

from typing import Any, cast

from cooperbench.agents.budget import current_budget
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.agents.testing.work import begin, good_result
from cooperbench.errors import LimitReachedError
from cooperbench.records import Usage


class UnprintableError(Exception):
    """An exception whose text raises another."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@register("testing/work")
class Works:
    """Behaves: works, cleans up, submits."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Work and submit."""
        begin(image, config).cleanup()
        return good_result()


@register("testing/raise")
class Raises:
    """Raises an exception of its own."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Raise it."""
        begin(image, config)
        raise ValueError("the agent's own mistake")


@register("testing/unprintable")
class RaisesUnprintable:
    """Raises an exception whose text raises another."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Raise it."""
        begin(image, config)
        raise UnprintableError


@register("testing/none")
class ReturnsNothing:
    """Forgets to return."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Return nothing."""
        begin(image, config).cleanup()
        return cast("AgentResult", None)


@register("testing/wrong_type")
class ReturnsWrongType:
    """Returns a dictionary instead of a result."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Return it."""
        begin(image, config).cleanup()
        return cast("AgentResult", {"status": "Submitted", "patch": ""})


@register("testing/negative_cost")
class ReturnsNegativeCost:
    """Claims to have earned money."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Return the claim."""
        begin(image, config).cleanup()
        return good_result(cost=-1.0)


@register("testing/result")
class ReturnsGivenResult:
    """Returns a result with the fields given to its constructor, after work in its sandbox."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Return it."""
        begin(image, config).cleanup()
        return good_result(**self.fields)


@register("testing/no_cleanup")
class LeavesEnvironment:
    """Submits and leaves its environment open."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Submit."""
        begin(image, config)
        return good_result()


@register("testing/many_messages")
class FloodsMessages:
    """Returns a history of very many messages."""

    def __init__(self, count: int = 1_000_000) -> None:
        self.count = count

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Return it."""
        begin(image, config).cleanup()
        return good_result(messages=[{"role": "user", "content": "x"}] * self.count)


@register("testing/chatter")
class Chatters:
    """Sends very many messages to its teammates, and reads none."""

    def __init__(self, count: int = 10_000) -> None:
        self.count = count

    def run(self, task: str, image: str, **kwargs: Any) -> AgentResult:
        """Send them."""
        with AgentSession(image, **kwargs) as session:
            for number in range(self.count if session.mailbox else 0):
                assert session.mailbox is not None
                session.mailbox.broadcast(f"message {number}")
            return session.result("Submitted", steps=1)


@register("testing/huge_file")
class WritesHugeFile:
    """Leaves a huge file in the repository, besides its work."""

    def __init__(self, megabytes: int = 1024) -> None:
        self.megabytes = megabytes

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Write it and submit."""
        env = begin(image, config)
        env.execute(f"head -c {self.megabytes}M /dev/zero > huge.bin")
        env.cleanup()
        return good_result()


@register("testing/swallow_limits")
class SwallowsLimits:
    """Calls a model again and again, and ignores that its budget is used up."""

    def __init__(self, calls: int = 1000) -> None:
        self.calls = calls

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Call and submit."""
        begin(image, config).cleanup()
        budget = current_budget()
        for _ in range(self.calls):
            try:
                budget.before_call()
            except LimitReachedError:
                continue
            budget.charge(Usage(cost=0.01, input_tokens=100, output_tokens=10))
        return good_result(steps=self.calls, cost=0.01 * self.calls)
