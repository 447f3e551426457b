"""See runs: one page for an episode, as a file that needs nothing else or from a server."""

from cooperbench.viewer.details import EpisodeParts
from cooperbench.viewer.episode import read_episode
from cooperbench.viewer.export import export_comparison, export_episode
from cooperbench.viewer.models import EpisodePage

__all__ = ["EpisodePage", "EpisodeParts", "export_comparison", "export_episode", "read_episode"]
