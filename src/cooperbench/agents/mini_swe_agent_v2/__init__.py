"""The published mini-swe-agent package as an agent."""
