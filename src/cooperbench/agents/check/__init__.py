"""`agents check`: tries an agent against the interface, and says what is wrong and how to mend it."""

from cooperbench.agents.check.contract import CheckReport, Finding, Grade, check_agent

__all__ = ["CheckReport", "Finding", "Grade", "check_agent"]
