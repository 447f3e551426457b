"""Keep what compilers make of an image's base, so that a suite in a fresh sandbox does not compile it again.

A cache is filled once for each image, by a run of hidden tests on the base: nothing of a submission or a gold patch is in it. It lies in
the cache directory of this machine, and each sandbox gets a copy of its own. The caches in question are addressed by the content of what was
compiled, so that a suite takes as little from it as fits.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cooperbench.environments.locks import locked
from cooperbench.evaluation.test_runners import TestRunner
from cooperbench.records import write_bytes

BUILD_CACHE = "build-cache.tar.gz"
LIMIT = 96 * 1024 * 1024
"""Bytes of a packed cache. A larger one would take longer to copy than it saves, and every suite holds it in memory."""

_FILES = "find . -type f | LC_ALL=C sort"
_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


def filled(path: Path, fill: Callable[[], bytes]) -> bytes:
    """Return the packed cache in a file, which the first of all threads and processes fills."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locks[path], locked(path.with_suffix(".lock")):
        if not path.is_file():
            write_bytes(path, fill())
        return path.read_bytes()


def before_build(runners: Sequence[TestRunner], folder: str, *, given: bool, keep: bool) -> Iterator[str]:
    """Yield shell that unpacks a cache that was `given`, or lists what is there, so that what is added is known."""
    for place in _places(runners):
        if given:
            yield f"{_entered(place)} && tar -xzf {folder}/{BUILD_CACHE}) || true"
        if keep:
            # Results of tests are kept there too; those of the base must not stand for those of a submission.
            yield 'export GOFLAGS="${GOFLAGS:+$GOFLAGS }-count=1"'
            yield f"{_entered(place)} && {_FILES}) >{folder}/begun || true"


def after_build(runners: Sequence[TestRunner], folder: str) -> Iterator[str]:
    """Yield shell that packs what was added."""
    file = f"{folder}/{BUILD_CACHE}"
    for place in _places(runners):
        yield f"{_entered(place)} && {_FILES} | comm -13 {folder}/begun - | tar -czf {file} -T -) || rm -f {file}"
        yield f"[ ! -f {file} ] || [ $(wc -c <{file}) -le {LIMIT} ] || rm {file}"


def _entered(place: str) -> str:
    """Return the start of a subshell in the folder that a command prints; it ends at once where the command is missing."""
    # Silent: what a runner prints is read as the task's own words.
    return f'(exec 2>/dev/null; place="$({place})"; [ -n "$place" ] && mkdir -p "$place" && cd "$place"'


def _places(runners: Sequence[TestRunner]) -> list[str]:
    return [runner.build_cache for runner in runners if runner.build_cache][:1]
