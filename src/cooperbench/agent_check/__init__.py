"""`agents check`: try an agent against the interface, say what is wrong, and how to fix it."""

from cooperbench.agent_check.checks import check_agent
from cooperbench.agent_check.findings import CheckReport, Finding, Grade

__all__ = ["CheckReport", "Finding", "Grade", "check_agent"]
