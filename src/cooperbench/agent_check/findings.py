"""What trials of an agent find."""

from enum import StrEnum

from cooperbench.agents._text import one_line
from cooperbench.agents.check.probe import ProbeReport
from cooperbench.records import Record


class Grade(StrEnum):
    """The result of one trial."""

    PASSED = "passed"
    FAILED = "failed"
    NOTE = "note"
    """Within the interface, but worth knowing."""


class Finding(Record):
    """What one trial found."""

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
        """Whether nothing failed."""
        return all(finding.grade is not Grade.FAILED for finding in self.findings)


def passed(check: str, message: str, report: ProbeReport | None = None) -> Finding:
    """A finding that all is well."""
    seconds = report.seconds if report else 0.0
    return Finding(check=check, grade=Grade.PASSED, message=message, seconds=seconds)


def failed(check: str, message: str, hint: str | None = None) -> Finding:
    """A finding with what is wrong, and how to mend it."""
    return Finding(check=check, grade=Grade.FAILED, message=one_line(message, 600), hint=hint)
