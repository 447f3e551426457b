"""One episode: its members at work, its submissions, its record."""
