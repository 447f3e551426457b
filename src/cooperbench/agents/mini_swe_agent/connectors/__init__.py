"""The documented import paths of what connects an agent to its teammates."""

from cooperbench.agents.mini_swe_agent.connectors.git import GitConnector
from cooperbench.agents.mini_swe_agent.connectors.messaging import MessagingConnector

__all__ = ["GitConnector", "MessagingConnector"]
