"""The documented import paths of the connections to teammates."""

from cooperbench.agents.mini_swe_agent.connectors.messaging import MessagingConnector
from cooperbench.collaboration.connect import GitConnector

__all__ = ["GitConnector", "MessagingConnector"]
