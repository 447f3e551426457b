"""Who works: the agent interface, the registry, and the agents that come with CooperBench."""

from cooperbench.agents.result import AgentResult, AgentRunner

__all__ = ["AgentResult", "AgentRunner"]
