"""Misbehaving agents, to test whatever runs agents. They are found by name (`testing/hang`) and not listed.

Each first changes something in its sandbox, so that a test can check whether that work was kept, and then misbehaves in one way.
Sizes are arguments of the constructor (`config["init"]`), with defaults that a machine survives.
"""

from cooperbench.agents.testing.processes import (
    Crashes,
    Exits,
    Forks,
    Hangs,
    HangsInCommand,
    HogsMemory,
    IgnoresSignals,
    LeavesThread,
)
from cooperbench.agents.testing.results import (
    Chatters,
    FloodsMessages,
    LeavesEnvironment,
    Raises,
    RaisesUnprintable,
    ReturnsGivenResult,
    ReturnsNegativeCost,
    ReturnsNothing,
    ReturnsWrongType,
    SwallowsLimits,
    Works,
    WritesHugeFile,
)
from cooperbench.agents.testing.sabotage import (
    BreaksPython,
    ClosesFiles,
    ForksInSandbox,
    GetsLost,
    KillsParent,
    Prints,
    RaisesLongError,
    Recurses,
    RemovesFolder,
)
from cooperbench.agents.testing.work import WORK_FILE, WORK_TEXT

__all__ = [
    "WORK_FILE",
    "WORK_TEXT",
    "BreaksPython",
    "Chatters",
    "ClosesFiles",
    "Crashes",
    "Exits",
    "FloodsMessages",
    "Forks",
    "ForksInSandbox",
    "GetsLost",
    "Hangs",
    "HangsInCommand",
    "HogsMemory",
    "IgnoresSignals",
    "KillsParent",
    "LeavesEnvironment",
    "LeavesThread",
    "Prints",
    "Raises",
    "RaisesLongError",
    "RaisesUnprintable",
    "Recurses",
    "RemovesFolder",
    "ReturnsGivenResult",
    "ReturnsNegativeCost",
    "ReturnsNothing",
    "ReturnsWrongType",
    "SwallowsLimits",
    "Works",
    "WritesHugeFile",
]
