"""Work through a plan: what runs next, where, how often it is tried, and when the run must stop."""
