"""How many messages this process has sent: in a run that is one member's process, and the live display shows it."""

import threading


class Tally:
    """Counts from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.count += 1


messages_sent = Tally()
