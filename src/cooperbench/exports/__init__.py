"""Runs in the formats of other programs, each in an extra of its own."""
