"""Keep what compilers make of an image's base, so that a suite in a fresh sandbox does not compile it again.

A cache is filled once for each image, by a run of the base's own tests and of what the hidden ones import: nothing of a submission, a gold
patch or a hidden test is in it. Code under test would read there what a broken test expected before it was broken. It lies in the cache
directory of this machine, and each sandbox gets a copy of its own. The caches in question are addressed by the content of what was compiled,
so that a suite takes as little from it as fits.
"""

import re
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

_PACKAGE = re.compile(rb"^package \w+", re.MULTILINE)
_IMPORT = re.compile(rb"^import\s*(?:\([^)]*\)|.*)", re.MULTILINE)
_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


def without_tests(source: bytes) -> bytes:
    """Return a source in Go that only imports what this one does; a blank line for other files."""
    package = _PACKAGE.search(source)
    if package is None:
        return b"\n"
    paths = [path for each in _IMPORT.findall(source) for path in re.findall(rb'"[^"\n]+"', each)]
    return source[: package.end()] + b"".join(b"\nimport _ " + path for path in paths) + b"\n"


def filled(path: Path, fill: Callable[[], bytes]) -> bytes:
    """Return the packed cache in a file, which the first of all threads and processes fills."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locks[path], locked(path.with_suffix(".lock")):
        if not path.is_file():
            write_bytes(path, fill())
        return path.read_bytes()


def before_build(runners: Sequence[TestRunner], folder: str, *, given: bool, keep: bool) -> Iterator[str]:
    """Yield shell that unpacks a cache that was `given`, or lists what is there, so that what is added is known."""
    for script in _scripts(runners):
        if given or keep:
            yield f". {script}"
        if given:
            yield f"give_cache {folder}/{BUILD_CACHE}"
        if keep:
            yield f"begin_cache {folder}/{BUILD_CACHE} {folder}/begun"


def after_build(runners: Sequence[TestRunner], folder: str) -> Iterator[str]:
    """Yield shell that packs what is to be kept."""
    for _ in _scripts(runners):
        yield f"pack_cache {folder}/{BUILD_CACHE} {folder}/begun {LIMIT} || true"


def _scripts(runners: Sequence[TestRunner]) -> list[str]:
    return [runner.build_cache for runner in runners if runner.build_cache][:1]
