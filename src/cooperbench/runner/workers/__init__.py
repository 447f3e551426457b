"""The processes in which agents and evaluations run: how they are started, given orders, and ended."""
