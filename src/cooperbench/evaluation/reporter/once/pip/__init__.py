"""Stands before pip where the evaluator knows that installing again would change nothing: `pip install` says so and ends.

Everything else is done by the real pip.
"""

import os
import runpy
import sys

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(arguments=None):
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "install" in words:
        print("already installed in this image; nothing to do for: pip " + " ".join(words))
        return 0
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    kept = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and os.path.abspath(entry) != _HERE]
    os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    for name in [name for name in sys.modules if name.split(".")[0] == "pip"]:
        del sys.modules[name]
    sys.argv[1:] = words
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
    return 0
