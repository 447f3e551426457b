"""The import path of `GitConnector` beside `connectors`."""

from cooperbench.collaboration.connect import GitConnector

__all__ = ["GitConnector"]
