"""Agents: their interface, the registry, and the agents that ship with CooperBench."""

from cooperbench.agents.budget import Budget, activate_budget, current_budget
from cooperbench.agents.call import AgentArguments, check_result, run_agent
from cooperbench.agents.journal import Journal, activate_journal, current_journal
from cooperbench.agents.registry import AgentDescription, agent_names, check_config, describe, get_runner, register
from cooperbench.agents.result import AgentResult, AgentRunner
from cooperbench.agents.session import AgentSession

__all__ = [
    "AgentArguments",
    "AgentDescription",
    "AgentResult",
    "AgentRunner",
    "AgentSession",
    "Budget",
    "Journal",
    "activate_budget",
    "activate_journal",
    "agent_names",
    "check_config",
    "check_result",
    "current_budget",
    "current_journal",
    "describe",
    "get_runner",
    "register",
    "run_agent",
]
