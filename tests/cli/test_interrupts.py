"""A Ctrl-C ends the command at any moment, also at one at which Python ignores it."""

import subprocess
import sys
from pathlib import Path

import pytest

STRUCK = """
import os, signal, sys, weakref
from cooperbench.cli.main import main

class Thing:
    pass

def strike(*_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100):
        pass

def in_a_callback_of_importlib(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "cb" and "importlib" in frame.f_code.co_filename:
        sys.setprofile(None)
        strike()

def in_a_finalizer(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "get_command":
        sys.setprofile(None)
        thing = Thing()
        reference = weakref.ref(thing, strike)
        del thing

def in_the_first_import(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "_find_and_load":
        sys.setprofile(None)
        strike()

sys.setprofile(globals()[sys.argv[1]])
sys.exit(main(["tasks", "list", "-s", "demo"]))
"""


@pytest.mark.parametrize("moment", ["in_a_callback_of_importlib", "in_a_finalizer", "in_the_first_import"])
def test_a_command_ends_whenever_it_strikes(tmp_path: Path, moment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRUCK, moment], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")  # click ends the line
