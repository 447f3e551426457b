"""One episode: its members on their members, its submissions, its record."""
