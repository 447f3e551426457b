"""Against the evaluator, by what a suite leaves for it to read: whoever fails may not look like a failure of the machine, nor stop who reads it.

On shelfdb, feature 3.
"""

from tests.evaluation.attacks.attack import Attack

_LEAVE = "os._exit(1)\n"


def _said(text: str) -> Attack:
    return Attack(
        trick="Print what a machine without a network prints, and leave.",
        code=f"import os\nwith open(f'/proc/{{os.getppid()}}/fd/1', 'w') as _out: _out.write({text!r})\n{_LEAVE}",
    )


def _state(data: str) -> Attack:
    return Attack(
        trick="Leave a state of the reporters that nobody can read.",
        code=f"import glob, os\nfor _p in glob.glob('/patches/*/reporter'):\n    with open(_p + '/state', 'wb') as _out: _out.write({data})\n{_LEAVE}",
    )


ATTACKS = {
    "a machine without a network": _said(
        "\nERROR: Could not install packages\nMax retries exceeded: Temporary failure in name resolution\n"
    ),
    "a disk that is full": _said("\nerror: write failed\nNo space left on device\n"),
    "a machine without memory": _said("\nERROR: fork\nCannot allocate memory\n"),
    "a number without an end": _state("b'9' * 6000 + b' ' + b'a' * 64 + b'\\n'"),
    "a long chain": _state("b'1000 ' + b'a' * 64 + b'\\n'"),
    "a length without an end": Attack(
        trick="Append a report whose length is a number that no integer holds.",
        code="import atexit, glob, os\ndef _append():\n"
        "    for _p in glob.glob('/patches/*/reporter/report'):\n"
        "        with open(_p, 'ab') as _out: _out.write(b'0 ' + b'a' * 64 + b' ' + b'9' * 6000 + b'\\n')\n"
        "atexit.register(_append)\n",
    ),
    "reports without an end": Attack(
        trick="Append millions of reports, each of which is cut off what follows.",
        code="import atexit, glob\ndef _append():\n"
        "    for _p in glob.glob('/patches/*/reporter/report'):\n"
        "        with open(_p, 'ab') as _out:\n            for _ in range(50): _out.write(b'0 a 0\\n' * 100_000)\n"
        "atexit.register(_append)\n",
    ),
    "blank lines without an end": Attack(
        trick="Print lines that a pattern may begin at, each of them, and run through to the last.",
        code=f"import os\nos.write(1, b'\\n' * 2_000_000)\n{_LEAVE}",
    ),
    "a source of blank lines": Attack(
        trick="Hand in a file that is named like a test, and has as many places where a test may begin.",
        files={"src/shelfdb/test_runner.py": b"\n" * 1_000_000},
    ),
    "a count without an end": Attack(
        trick="Hand in a patch whose lines are so many that no integer holds their number.",
        raw=b"--- a/src/x.py\n+++ b/src/x.py\n@@ -0,0 +1," + b"9" * 6000 + b" @@\n+x = 1\n",
    ),
}
