"""Found by every Python that is started with this folder on its path: gives `python -m unittest` a signed report of what really ran,
and answers `pip install` where the evaluator knows that installing again would change nothing.

Programs are told by the command line that the system shows, so it does not matter how they are made or start themselves. Everything
else is left alone, and the next `sitecustomize` is loaded as if this one were not there. Python 3.6 is enough for it.
"""

import importlib.machinery
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_PIP_COMMANDS = {"install", "help", "download", "uninstall", "freeze", "inspect", "list", "show", "check", "config", "search"}
_PIP_COMMANDS |= {"cache", "index", "wheel", "hash", "completion", "debug", "lock"}


def _load_the_next():
    places = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    found = importlib.machinery.PathFinder.find_spec("sitecustomize", places)
    if found is not None and found.loader is not None:
        found.loader.exec_module(sys.modules[__name__])


def _what_runs(option):
    """Which of `m` and `c` an option has, and what is attached to it. (Without `re`, which takes longer to load than all of this.)"""
    for position, letter in enumerate(option[1:], 2):
        if letter in "mc":
            return letter, option[position:]
        if letter not in "bBdEhiIOPqRsStuvVx":
            break
    return "", ""


def _is_pip(path):
    name = os.path.basename(path)
    name = name[:-4] if name.endswith(".pyz") else name
    return name.startswith("pip") and not name[3:].strip("0123456789.")


def _command_line():
    """How the interpreter was started (`m` for a module, `c` for code, else empty), and the program with its arguments."""
    words = getattr(sys, "orig_argv", None)
    if words is None:
        try:
            with open("/proc/self/cmdline") as stream:
                words = stream.read().split("\0")[:-1]
        except OSError:
            words = []
    words = list(words[1:])
    while words and words[0].startswith("-"):
        word = words.pop(0)
        how, attached = _what_runs(word)
        if how:
            return how, ([attached] if attached else []) + words
        if word in ("-W", "-X", "--check-hash-based-pycs"):
            words = words[1:]
    return "", words


def _answer_pip(how, program):
    """End a process that would install again. What the real pip starts is the real pip."""
    name = program[0] if program else ""
    is_pip = name == "pip" if how else _is_pip(name)
    if how == "c" or not is_pip or not os.environ.pop("COOPERBENCH_INSTALLED", ""):
        return
    if next((word for word in program[1:] if word in _PIP_COMMANDS), "") == "install":
        sys.stdout.write("already installed in this image; nothing to do for: pip " + " ".join(program[1:]) + "\n")
        sys.stdout.flush()
        os._exit(0)


def _answer_uv(how, program):
    """The same for `python -m uv`, which starts a program of its own."""
    if how != "m" or program[:1] != ["uv"] or not os.environ.get("COOPERBENCH_UV_INSTALLED", ""):
        return
    words = [word for word in program[1:] if not word.startswith("-")]
    if words[:1] in (["sync"], ["venv"]) or words[:2] in (["pip", "install"], ["pip", "sync"]):
        sys.stdout.write("already installed in this image; nothing to do for: uv " + " ".join(program[1:]) + "\n")
        sys.stdout.flush()
        os._exit(0)
    if os.environ.get("UV_LOCKED") or {"--locked", "--upgrade", "-U"}.intersection(program):
        os.environ.pop("UV_FROZEN", "")  # as in `once.sh`


_how, _program = _command_line()
_answer_pip(_how, _program)
_answer_uv(_how, _program)
_load_the_next()
if _how == "m" and _program[:1] == ["unittest"]:
    import cooperbench_unittest

    cooperbench_unittest.watch_unittest()
