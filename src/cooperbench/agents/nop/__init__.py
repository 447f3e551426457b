"""The agent that does nothing."""
