"""Where the members of one episode wait for each other, each in a coroutine of its trainer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from cooperbench.training.endpoint import Endpoint
from cooperbench.training.team_rollout import TeamRollout

Play = Callable[[dict[str, Endpoint]], Awaitable[TeamRollout]]


class Meeting:
    """Begins the rollout once all members have brought their endpoints. Make it in a running event loop."""

    def __init__(self, size: int, weights: Mapping[str, float], play: Play) -> None:
        self.weights = weights
        self._size = size
        self._play = play
        self._endpoints: dict[str, Endpoint] = {}
        self._result: asyncio.Future[TeamRollout] = asyncio.get_running_loop().create_future()
        self._playing: asyncio.Task[None] | None = None

    async def attend(self, name: str, endpoint: Endpoint) -> TeamRollout:
        """Wait for the others, and for the end of the rollout. Raises what the rollout raises."""
        self._endpoints[name] = endpoint
        if len(self._endpoints) == self._size:
            self._playing = asyncio.create_task(self._run())
        return await asyncio.shield(self._result)

    def leave(self, name: str) -> None:
        """Let the others go if a member ends before it came."""
        if name not in self._endpoints and not self._result.done():
            self._result.set_exception(RuntimeError(f"{name} ended before the episode began"))
            self._result.exception()  # nobody may be there to read it

    async def close(self) -> None:
        """End the rollout, with its sandboxes, if it still runs."""
        if self._playing is not None and not self._playing.done():
            self._playing.cancel()
            await asyncio.wait({self._playing})
        self._result.cancel()

    async def _run(self) -> None:
        try:
            result = await self._play(self._endpoints)
        except Exception as error:
            self._result.set_exception(error)
            self._result.exception()
        else:
            self._result.set_result(result)
