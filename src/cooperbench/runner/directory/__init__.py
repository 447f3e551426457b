"""The run directory: whose it is, what it already holds, and what it adds up to."""
