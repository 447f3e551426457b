"""Keep where in an agent's code an exception arose: the whole traceback among its logs, the last frames in the result."""

import contextlib
import sysconfig
from pathlib import Path
from traceback import TracebackException, extract_tb
from types import TracebackType

import cooperbench
from cooperbench.errors import LimitReachedError
from cooperbench.records.host_paths import code_path, without_host_paths

TRACEBACK = "traceback.txt"
MOST_FRAMES = 3
LONGEST = 100_000
"""Characters of a traceback: the text of an exception may be an agent's 100 MB."""
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = str(Path(cooperbench.__file__).parent)


def frames_of(error: BaseException) -> tuple[str, ...]:
    """Return the last lines of the agent's code that the exception passed, innermost last."""
    with contextlib.suppress(Exception):  # the exception is the agent's, and may be anything
        frames = [frame for frame in extract_tb(_raised(error)) if not frame.filename.startswith(_OURS)]
        own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)]
        if own and own[-1] is not frames[-1]:  # where the agent called a library says more than how that works
            frames = [*own[1 - MOST_FRAMES :], frames[-1]]
        return tuple(
            without_host_paths(f"{code_path(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}")
            for frame in frames[-MOST_FRAMES:]
        )
    return ()


def is_our_mistake(error: BaseException) -> bool:
    """Return whether CooperBench's own code is wrong: an error that nothing an agent passes to it can cause, raised in it."""
    cause = _cause(error)
    if not isinstance(cause, NameError | ImportError | AssertionError) or cause.__traceback__ is None:
        return False
    return extract_tb(cause.__traceback__)[-1].filename.startswith(_OURS)


def keep_traceback(log_dir: Path, error: BaseException) -> None:
    """Write the traceback of an exception of the agent into its logs. A limit that ended it is none."""
    if isinstance(error, LimitReachedError):
        return
    cause = _cause(error)
    with contextlib.suppress(Exception):
        shown = TracebackException(type(cause), cause, _raised(error))
        log_dir.mkdir(parents=True, exist_ok=True)
        text = "".join(shown.format())
        if len(text) > LONGEST:
            text = (
                f"{text[: LONGEST // 2]}\n[... {len(text) - LONGEST} characters left out ...]\n{text[-LONGEST // 2 :]}"
            )
        (log_dir / TRACEBACK).write_text(without_host_paths(text), errors="backslashreplace")


def _cause(error: BaseException) -> BaseException:
    """Return what the agent raised, without the error in which `run_agent` wrapped it."""
    return error.__cause__ or error


def _raised(error: BaseException) -> TracebackType | None:
    """Return the traceback from the agent's first frame on."""
    trace = _cause(error).__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace
