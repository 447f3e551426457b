"""Results of running a suite that passed again, with expectations of its tests broken: part of `eval.json`."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from cooperbench.records.base import Record

Falsify = Literal["on", "warn", "off"]
"""`on` judges by the runs with broken tests, `warn` only records what they show, `off` leaves them out."""


class FalsificationStatus(StrEnum):
    """What came of the runs with broken tests."""

    HELD = "held"
    """The work failed what the gold patch fails, and passed what it passes."""
    FORCED = "forced"
    """A test came out otherwise than with the gold patch, each time."""
    UNFINISHED = "unfinished"
    """The work reached the time limit on broken tests each time, where the gold patch ends: not proven, but no force was seen."""
    UNAVAILABLE = "unavailable"
    """No test of the feature could be broken; `reason` says why."""


class BrokenTest(Record):
    """An edit that breaks the expectation of one test: the lines before and after it."""

    test: str
    path: str
    line: int = Field(ge=1)
    kind: str = Field(description="value, wrapped, needle, match, raises, operator or negate.")
    before: str
    after: str


class Mismatch(Record):
    """A test that came out otherwise than with the gold patch, in the same suite."""

    test: str
    edit: BrokenTest | None = Field(None, description="The edit that breaks the test; `None` if it was not broken.")
    expected: str = Field(description="The result with the gold patch.")
    found: str


class Falsification(Record):
    """The runs of one suite with broken tests, compared with the gold patch's runs of the same."""

    status: FalsificationStatus
    reason: str = Field("", description="One line that says why, when it did not hold.")
    seed: str = Field("", description="Secret until the evaluation ends; with it the same tests are broken again.")
    challenge: int | None = Field(None, ge=0, description="Number of the challenge that the seed chose.")
    broken: int = Field(0, ge=0, description="Test functions that were broken.")
    runs: int = Field(0, ge=0, description="Runs besides the real one, repeated ones included.")
    seconds: float = Field(0.0, ge=0, description="Of these runs, one after the other.")
    mismatch: Mismatch | None = None
