"""A run for others: packages, parts that are joined, trajectories in a common format."""
