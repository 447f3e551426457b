"""Misbehaving agents, to test whatever runs agents. They are found by name (`testing/hang`) and not listed.

Each first changes something in its sandbox, so that a test can check whether that work was kept, and then misbehaves in one way.
Sizes are arguments (`config["init"]`), with defaults that a machine survives.
"""

from cooperbench.agents.testing import processes, results, sabotage
from cooperbench.agents.testing.work import WORK_FILE, WORK_TEXT

__all__ = ["WORK_FILE", "WORK_TEXT", "processes", "results", "sabotage"]
