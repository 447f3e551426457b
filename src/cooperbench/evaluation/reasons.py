"""The reason why a part of a submission is left out."""

from typing import NamedTuple

from cooperbench.records import DropRule


class Reason(NamedTuple):
    """A rule, and what it says in words."""

    rule: DropRule
    text: str
