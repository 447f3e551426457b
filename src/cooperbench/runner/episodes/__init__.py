"""One episode: its members on their seats, its submissions, its record."""
