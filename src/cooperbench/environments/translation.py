"""Turn errors of a library into ours at the edge of a backend."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cooperbench.errors import CooperBenchError, SandboxError

Translate = Callable[[Exception, str], SandboxError | None]
"""Returns our error for one of a library's and its subject, or `None` for one that is not the library's."""


@contextmanager
def translated_by(translate: Translate, subject: str) -> Iterator[None]:
    """Raise what `translate` makes of errors in the block. Errors of ours, and those that it does not know, pass unchanged."""
    try:
        yield
    except CooperBenchError:
        raise
    except Exception as error:
        translated = translate(error, subject)
        if translated is None:
            raise
        raise translated from error
