"""Try an agent: `agents check` against the interface, with how to fix what is wrong, `agents run` in this process."""

from cooperbench.agent_check.checks import check_agent
from cooperbench.agent_check.findings import CheckReport, Finding, Grade
from cooperbench.agent_check.here import HereResult, run_here

__all__ = ["CheckReport", "Finding", "Grade", "HereResult", "check_agent", "run_here"]
