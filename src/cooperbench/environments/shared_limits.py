"""Limits of providers, shared through the run's Redis by all processes that name it, on any machine.

A limit is one moment: when the provider may be asked again. All times are the server's own, so no clocks are compared, and a moment
that has passed expires by itself. A server that does not answer shares nothing: each machine then keeps what it knows itself.
"""

import hashlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

PREFIX = "cooperbench-limits:"
SOCKET_SECONDS = 2.0
UNREACHABLE_SECONDS = 30.0
"""Seconds for which a server that did not answer is not asked again."""

# The answer is the seconds until the own turn. The next one comes a step later, and not before a pause is over.
_TURN = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local turn = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now))
local following = math.max(turn + ARGV[1], now + ARGV[2])
if following > now then
    redis.call('SET', KEYS[1], string.format('%.6f', following), 'PX', math.ceil((following - now) * 1000))
end
return string.format('%.6f', turn - now)
"""


class SharedLimits:
    """The limits that one Redis keeps. Safe between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None
        self._silent_until = 0.0

    def take_turn(self, name: str, *, step: float = 0.0, pause: float = 0.0) -> float | None:
        """Return the seconds until the own turn, `None` when the server does not answer.

        The next turn is `step` seconds after this one, and at least `pause` seconds from now.
        """
        import redis

        if time.monotonic() < self._silent_until:
            return None
        key = PREFIX + hashlib.sha256(name.encode()).hexdigest()[:32]
        try:
            self._client = self._client or redis.Redis.from_url(
                self._url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
            )
            return float(self._client.eval(_TURN, 1, key, repr(step), repr(pause)))
        except (redis.RedisError, OSError):
            self._silent_until = time.monotonic() + UNREACHABLE_SECONDS
            return None


_current: SharedLimits | None = None


def use_limits(url: str | None) -> None:
    """Share limits through this server in this process and those forked from it; `None` shares with nobody."""
    global _current
    _current = None if url is None else SharedLimits(url)


def shared_limits() -> SharedLimits | None:
    """Return the limits that this process shares, if its run names a Redis."""
    return _current
