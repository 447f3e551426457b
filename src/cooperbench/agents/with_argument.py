"""The agents whose names go on behind a colon: `replay:RUN`."""

from typing import NamedTuple


class NamedWithArgument(NamedTuple):
    """An agent whose class takes what follows the colon as its first argument."""

    word: str
    """What the argument is, for people."""
    target: str


TAKES_ARGUMENT = {
    "acp": NamedWithArgument("COMMAND", "cooperbench.agents.acp.runner:AcpRunner"),
    "replay": NamedWithArgument("RUN", "cooperbench.agents.replay.runner:ReplayRunner"),
}
