"""The built-in agent: a small tool-calling loop, in the interface of mini-swe-agent version 2."""
