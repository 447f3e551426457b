"""What the reporters in Python share: a key of the chain, digests of the hidden tests, and signing. See `sign.sh`, which does the same.

Loaded before any code of the repository; the reporters keep these functions, and the module goes. Python 3.6 is enough for it.
"""

import contextlib
import hashlib
import os
import time

_sha256, _open, _sleep = hashlib.sha256, open, time.sleep


def folder():
    """The folder of all reporters."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@contextlib.contextmanager
def _locked(place):
    lock = os.path.join(place, "lock")
    while True:
        try:
            os.mkdir(lock)
            break
        except FileExistsError:
            _sleep(0.02)
    try:
        yield
    finally:
        os.rmdir(lock)


def claim(place):
    """Take the next key, and leave the one that follows from it. Gives the function that signs with it."""
    state = os.path.join(place, "state")
    with _locked(place):
        with _open(state) as stream:
            count, key = stream.read().split()
        with _open(state, "w") as stream:
            stream.write("%d %s\n" % (int(count) + 1, _sha256(key.encode()).hexdigest()))

    def sign(lines):
        body = "".join(line.replace("\n", "\\n") + "\n" for line in lines).encode("utf-8", "backslashreplace")
        signature = _sha256((key + _sha256(body).hexdigest()).encode()).hexdigest()
        with _locked(place), _open(os.path.join(place, "report"), "ab") as stream:
            stream.write(("%s %s %d\n" % (count, signature, len(body))).encode() + body)

    return sign


def give_back_environment():
    """What the tests start sees the variables as they were."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONPATH"):
        if name == "PYTEST_PLUGINS" and "cooperbench_reporter" not in os.environ.get(name, ""):
            continue  # a runner has set its own
        before = os.environ.get("COOPERBENCH_" + name)
        if before:
            os.environ[name] = before
        else:
            os.environ.pop(name, None)


def code_of(function):
    """The code of a function or method; `None` for other things."""
    return getattr(getattr(function, "__func__", function), "__code__", None)


def hidden_files(place):
    """The hidden tests: the digest that each has to have, by path."""
    with _open(os.path.join(place, "files")) as stream:
        lines = [line.split("  ", 1) for line in stream.read().splitlines()]
    return {path: digest for digest, path in lines}


def changed_files(place):
    """The hidden tests whose content is another by now."""
    changed = []
    for path, digest in hidden_files(place).items():
        try:
            with _open(path, "rb") as stream:
                same = _sha256(stream.read()).hexdigest() == digest
        except OSError:
            same = False
        if not same:
            changed.append(path)
    return changed
