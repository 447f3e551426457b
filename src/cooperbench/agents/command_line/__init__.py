"""Command-line agents: a program people use, described by a file of ten lines, works as a member in its sandbox."""
