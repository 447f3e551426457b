"""The import path of `GitConnector` beside `connectors`."""

from cooperbench.collaboration.git import GitConnector

__all__ = ["GitConnector"]
