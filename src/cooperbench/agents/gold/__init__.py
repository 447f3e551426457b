"""The agent that applies the reference solution."""
