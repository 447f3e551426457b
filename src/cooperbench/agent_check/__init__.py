"""`agents check`: tries an agent against the interface, and says what is wrong and how to mend it."""

from cooperbench.agents.check.contract import check_agent
from cooperbench.agents.check.findings import CheckReport, Finding, Grade

__all__ = ["CheckReport", "Finding", "Grade", "check_agent"]
