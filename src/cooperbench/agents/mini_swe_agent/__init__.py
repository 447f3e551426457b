"""The built-in agent: a small tool-calling loop with the interfaces of mini-swe-agent version 2."""
