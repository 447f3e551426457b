"""The findings of a check."""

from enum import StrEnum

from cooperbench.agents.reading import one_line
from cooperbench.records import Record


class Grade(StrEnum):
    """The result of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOTE = "note"
    """Within the interface, but worth knowing."""


class Finding(Record):
    """The result of one check, with the remedy where there is something to fix."""

    check: str
    grade: Grade
    message: str
    hint: str | None = None
    seconds: float = 0.0


class CheckReport(Record):
    """All findings about one agent."""

    agent: str
    backend: str
    model: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """True when no check failed."""
        return all(finding.grade is not Grade.FAILED for finding in self.findings)


def passed(check: str, message: str, seconds: float = 0.0) -> Finding:
    """Make a finding without a fault."""
    return Finding(check=check, grade=Grade.PASSED, message=message, seconds=seconds)


def failed(check: str, message: str, hint: str | None = None) -> Finding:
    """Make a finding that names a fault and its remedy."""
    return Finding(check=check, grade=Grade.FAILED, message=one_line(message, 600), hint=hint)


def note(check: str, message: str, hint: str | None = None) -> Finding:
    """Make a finding that is worth knowing."""
    return Finding(check=check, grade=Grade.NOTE, message=message, hint=hint)
