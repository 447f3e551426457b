"""The one error tree of CooperBench.

Every failure belongs to exactly one boundary: the caller's input, the model, the sandbox, the mailbox, the git remote, the
agent, the evaluation, or the record on disk. The class says which. An error carries what happened (`message`), what it
happened to (`subject`), whether trying again can help (`retryable`) and what to type or do next (`hint`). Anything that is
not a `CooperBenchError` is a bug of ours, and shows as a traceback.

    CooperBenchError
    ├── UsageError                 the caller's input (exit code 2 on the command line)
    │   ├── UnknownNameError       a name that is not in a known list
    │   └── MissingExtraError      an optional dependency is not installed
    ├── ModelError
    │   ├── ModelRateLimitError · ModelOverloadedError · ModelAnswerError                     (retryable)
    │   ├── ModelAuthenticationError · ModelNotFoundError · ModelContextWindowError · ModelRequestError
    ├── SandboxError
    │   ├── SandboxLostError       the sandbox is gone, with the work in it                   (retryable)
    │   ├── TransportError         the connection failed; the command may still be running   (retryable)
    │   ├── ImageError · SandboxCredentialsError · QuotaError · CapabilityError
    │   └── CapacityError          the provider has no room at this moment                   (retryable)
    ├── MailboxError
    │   ├── MailboxUnavailableError                                                          (retryable)
    │   └── MessageRefusedError    unknown recipient, too large
    │       └── TeammateGoneError  the teammate's work has ended
    ├── RemoteError                the shared git remote
    ├── AgentError                 an agent broke its contract or failed
    │   └── LimitReachedError      steps, tokens, cost or time used up: an ending, not a fault
    ├── EvaluationError
    ├── TaskError                  a task's files are missing or malformed
    └── RecordError
        ├── RunLockedError         another process works on the same run
        └── RunMismatchError       the run on disk was made with another configuration
"""

from collections.abc import Iterable
from difflib import get_close_matches


class CooperBenchError(Exception):
    """Base of every error that CooperBench raises on purpose.

    `message` is one line. `subject` is the thing it is about (an image, a file, an agent id). `hint` is the next command or
    action. `retryable` overrides the class's default.
    """

    boundary = "cooperbench"
    retryable = False

    def __init__(
        self, message: str, *, subject: str | None = None, hint: str | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.hint = hint
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the default protocol would drop the keyword-only fields.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[CooperBenchError], args: tuple[object, ...], state: dict[str, object]) -> CooperBenchError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(CooperBenchError):
    """The caller asked for something that cannot be; nothing was started or written."""

    boundary = "usage"


class UnknownNameError(UsageError):
    """A name is not in a known list. The message shows what was available and, when one is close, the likely intention."""

    def __init__(self, kind: str, name: object, available: Iterable[object], *, hint: str | None = None) -> None:
        names = [str(item) for item in available]
        close = get_close_matches(str(name), names, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else "."
        shown = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
        super().__init__(
            f"unknown {kind} {str(name)!r}{guess} Available: {shown or 'none'}.", subject=str(name), hint=hint
        )
        self.available = names


class MissingExtraError(UsageError):
    """An optional dependency is needed that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra {extra!r}, which is not installed",
            subject=extra,
            hint=f"pip install 'cooperbench[{extra}]'",
        )


class ModelError(CooperBenchError):
    """The model or its provider failed. `retry_after` is the pause in seconds that the provider asked for, if it did."""

    boundary = "model"
    retry_after: float | None = None


class ModelRateLimitError(ModelError):
    """The provider refused for now: too many requests or tokens."""

    retryable = True


class ModelOverloadedError(ModelError):
    """The provider is overloaded, unreachable or timed out."""

    retryable = True


class ModelAuthenticationError(ModelError):
    """The key is missing, wrong, or not allowed to use this model."""


class ModelContextWindowError(ModelError):
    """The request is longer than the model accepts."""


class ModelNotFoundError(ModelError):
    """The provider has no such model, or there is no provider at the address."""


class ModelRequestError(ModelError):
    """The provider refused the request as malformed."""


class ModelAnswerError(ModelError):
    """What came back is no answer of a model: a page of a proxy, a body that was cut off, no message in it."""

    retryable = True


class SandboxError(CooperBenchError):
    """A sandbox could not be started or used."""

    boundary = "environment"


class SandboxLostError(SandboxError):
    """The sandbox is gone, and the work in it. It is never replaced silently and never scored; repeating all of it can help."""

    retryable = True


class TransportError(SandboxError):
    """The connection to a sandbox failed; the command may still be running inside."""

    retryable = True


class ImageError(SandboxError):
    """The image does not exist, cannot be pulled, or does not fit this processor."""


class SandboxCredentialsError(SandboxError):
    """The engine or provider does not accept the credentials, or there are none."""


class QuotaError(SandboxError):
    """The account's quota is used up; only its owner can help."""


class CapacityError(SandboxError):
    """The provider has no room at this moment, or throttles creations."""

    retryable = True


class CapabilityError(SandboxError):
    """Something was asked for that this backend cannot do."""


class MailboxError(CooperBenchError):
    """Messages between teammates failed."""

    boundary = "mailbox"


class MailboxUnavailableError(MailboxError):
    """The broker does not answer."""

    retryable = True


class MessageRefusedError(MailboxError):
    """A message was not accepted; the reason is in the message of the error."""


class TeammateGoneError(MessageRefusedError):
    """The teammate's work has ended: nothing can be sent to it or expected from it. Says where its work is."""


class RemoteError(CooperBenchError):
    """The shared git remote failed or refused."""

    boundary = "remote"


class AgentError(CooperBenchError):
    """An agent broke its contract or failed."""

    boundary = "agent"


class LimitReachedError(AgentError):
    """A limit of the member or the run is used up. `kind` is steps, tokens, cost, command_time or wall_time."""

    def __init__(self, kind: str, value: float, limit: float) -> None:
        super().__init__(f"{kind} limit reached: {value:g} of {limit:g}", subject=kind)
        self.kind = kind
        self.value = value
        self.limit = limit


class EvaluationError(CooperBenchError):
    """The evaluation itself could not be carried out; says nothing about the submissions."""

    boundary = "evaluation"


class TaskError(CooperBenchError):
    """A task's files are missing or malformed. `subject` is the file."""

    boundary = "task"


class RecordError(CooperBenchError):
    """A run directory cannot be read or written."""

    boundary = "record"


class RunLockedError(RecordError):
    """Another process works on the same run."""


class RunMismatchError(RecordError):
    """The run on disk was made with another configuration."""
