"""The one error tree of CooperBench.

Every failure belongs to exactly one boundary: the caller's input, the model, the sandbox, the mailbox, the git remote, the
agent, the evaluation, or the record on disk. The class names it. An error carries what happened (`message`), what it
happened to (`subject`), whether a retry can help (`retryable`) and what to type or do next (`hint`). Anything that is not a
`CooperBenchError` is a bug in CooperBench, and shows as a traceback.

    CooperBenchError
    ├── UsageError                 the caller's input (exit code 2 on the command line)
    │   └── UnknownNameError · MissingExtraError
    ├── ModelError
    │   ├── ModelRateLimitError · ModelOverloadedError · ModelAnswerError                 (retryable)
    │   │   └── ModelTimeoutError  of ModelOverloadedError: nothing came in the time for one answer
    │   ├── ModelAuthenticationError · ModelNotFoundError · ModelToolsError · ModelContextWindowError · ModelRequestError
    │   └── ModelOutputError · ModelContentError of it
    ├── SandboxError
    │   ├── SandboxLostError       the sandbox is gone, and the work in it                (retryable)
    │   ├── TransportError · SilentSandboxError of it                                     (retryable)
    │   ├── ImageError · SandboxCredentialsError · QuotaError · CapabilityError · SandboxDamagedError
    │   └── CapacityError          the provider has no capacity right now                 (retryable)
    ├── MailboxError
    │   ├── MailboxUnavailableError                                                       (retryable)
    │   └── MessageRefusedError · TeammateGoneError of it
    ├── RemoteError · AgentError
    │   └── LimitReachedError      steps, tokens, cost or time used up: an ending, not a failure
    ├── EvaluationError · TaskError
    └── RecordError
        └── UnreadableError · RunLockedError · RunMismatchError
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class CooperBenchError(Exception):
    """Base class of every error that CooperBench raises deliberately.

    `message` is one line. `subject` is what the error is about (an image, a file, an agent id). `hint` is the next command or
    action. `retryable` overrides the default of the class.
    """

    boundary = "cooperbench"
    retryable = False

    def __init__(
        self, message: str, *, subject: str | None = None, hint: str | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.subject, self.hint = message, subject, hint
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries; the default protocol drops the keyword-only fields.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[CooperBenchError], args: tuple[object, ...], state: dict[str, object]) -> CooperBenchError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(CooperBenchError):
    """The caller made a mistake; nothing was started or written."""

    boundary = "usage"


class UnknownNameError(UsageError):
    """A name is not in a list of known names. The message lists them, and suggests one that is spelled almost the same."""

    def __init__(self, kind: str, name: object, available: Iterable[object], *, hint: str | None = None) -> None:
        names = [str(item) for item in available]
        guess = suggestion(str(name), names)
        shown = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
        super().__init__(
            f"unknown {kind} {str(name)!r}{guess} Available: {shown or 'none'}.", subject=str(name), hint=hint
        )
        self.available = names


def suggestion(name: str, names: Iterable[str], otherwise: str = ".") -> str:
    """Return `; did you mean '...'?` for a name that is spelled almost the same or begins the same, else `otherwise`."""
    known, word = {each.lower(): each for each in names}, name.lower()
    alike = (each for each in known if len(word) > 2 and each.startswith(word))
    close = get_close_matches(word, known, n=1) or sorted(alike)
    return f"; did you mean {known[close[0]]!r}?" if close else otherwise


class MissingExtraError(UsageError):
    """A required optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        from cooperbench._installation import install_command

        super().__init__(
            f"{feature} needs the extra {extra!r}, which is not installed", subject=extra, hint=install_command(extra)
        )


class ModelError(CooperBenchError):
    """The model or its provider failed. `retry_after` is the pause in seconds that the provider asked for, if any."""

    boundary = "model"
    retry_after: float | None = None


class ModelRateLimitError(ModelError):
    """The provider refused for now: too many requests or tokens."""

    retryable = True


class ModelOverloadedError(ModelError):
    """The provider is overloaded, unreachable or timed out."""

    retryable = True


class ModelTimeoutError(ModelOverloadedError):
    """The provider did not answer within the time for one answer. Repeated once only, because each attempt takes that long."""


class ModelAuthenticationError(ModelError):
    """The key is missing, wrong, or not allowed to use this model."""


class ModelContextWindowError(ModelError):
    """The request is longer than the model accepts. The numbers are in tokens, `None` where the provider gave none."""

    window: int | None = None
    """The most that the model accepts."""
    asked: int | None = None
    """The length of the request."""


class ModelToolsError(ModelError):
    """The model or its server cannot call tools."""


class ModelNotFoundError(ModelError):
    """The provider has no such model, or the address has no provider."""


class ModelRequestError(ModelError):
    """The provider rejected the request as malformed: a setting that it does not know, or a form that it does not read.

    What a provider reads is a view in which nothing that a model wrote is malformed. So this is not the model's doing, unless
    `by_model` says so.
    """

    def __init__(self, message: str, *, by_model: bool = False, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.by_model = by_model


class ModelOutputError(ModelError):
    """The server could not read what the model wrote, such as a tool call. `written` is that text, where the server repeats it."""

    written: str | None = None


class ModelContentError(ModelOutputError):
    """The provider's filter stopped what the model read or wrote."""


class ModelAnswerError(ModelError):
    """The response is not a completion: a proxy page, a truncated body, or no message."""

    retryable = True


class SandboxError(CooperBenchError):
    """A sandbox could not be started or used."""

    boundary = "environment"


class SandboxLostError(SandboxError):
    """The sandbox is gone, and the work in it. It is never silently replaced and never scored; a retry starts from scratch."""

    retryable = True


class TransportError(SandboxError):
    """The connection to a sandbox failed; the command may still be running in it."""

    retryable = True


class SilentSandboxError(TransportError):
    """A command did not answer within its time, on a connection that works."""


class SandboxDamagedError(SandboxError):
    """What was done in the sandbox keeps something from working: a result of whoever works in it."""

    boundary = "agent"


class ImageError(SandboxError):
    """The image does not exist, cannot be pulled, or was built for another processor."""


class SandboxCredentialsError(SandboxError):
    """The credentials are missing, or the engine or provider rejects them."""


class QuotaError(SandboxError):
    """The account's quota is used up; only its owner can raise it."""


class CapacityError(SandboxError):
    """The provider has no capacity right now, or throttles creation."""

    retryable = True


class CapabilityError(SandboxError):
    """The backend does not support what was requested."""


class MailboxError(CooperBenchError):
    """Messaging between teammates failed."""

    boundary = "mailbox"


class MailboxUnavailableError(MailboxError):
    """The broker does not answer."""

    retryable = True


class MessageRefusedError(MailboxError):
    """A message was refused; the error says why."""


class TeammateGoneError(MessageRefusedError):
    """The teammate has finished: it neither receives nor sends messages any more. The error says where its work is."""


class RemoteError(CooperBenchError):
    """The shared git remote failed or refused."""

    boundary = "remote"


class AgentError(CooperBenchError):
    """An agent failed or broke its interface."""

    boundary = "agent"


class LimitReachedError(AgentError):
    """A limit of the member or the run was reached. `kind` is steps, tokens, cost, run cost, command_time or wall_time."""

    def __init__(self, kind: str, value: float, limit: float) -> None:
        super().__init__(f"{kind} limit reached: {value:g} of {limit:g}", subject=kind)
        self.kind, self.value, self.limit = kind, value, limit


class EvaluationError(CooperBenchError):
    """The evaluation could not be carried out, which says nothing about the submissions."""

    boundary = "evaluation"


class TaskError(CooperBenchError):
    """A task's files are missing or malformed. `subject` is the file."""

    boundary = "task"


class RecordError(CooperBenchError):
    """A run directory cannot be read or written."""

    boundary = "record"


class UnreadableError(RecordError):
    """A file of a run or a package is not what it should be."""


class RunLockedError(RecordError):
    """Another process is working on the run."""


class RunMismatchError(RecordError):
    """The run on disk was made with another configuration."""
