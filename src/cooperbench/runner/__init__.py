"""How work is run: plan, episodes, submissions, limits, resuming, executors."""
