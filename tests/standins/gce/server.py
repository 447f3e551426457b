"""The stand-in as a test uses it: start it, look into it, break it."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.standins.background import BackgroundLoop
from tests.standins.gce.account import UNIVERSE, Account
from tests.standins.gce.api import Api
from tests.standins.gce.machine import VirtualMachine

PROJECT = "standin-project"


class GceStandin:
    """A project at Compute Engine. `environment` is what the SDK needs to find it and to be let in."""

    def __init__(self, *, boot_seconds: float = 0.2) -> None:
        self._background = BackgroundLoop("gce-standin")
        self._folder = tempfile.TemporaryDirectory(prefix="gce-standin-")
        self.account = Account(PROJECT, Path(self._folder.name))
        self.api = Api(boot_seconds, self.account)
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{self.url}/compute/v1/",
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.account.file),
            "GOOGLE_CLOUD_UNIVERSE_DOMAIN": UNIVERSE,
        }

    @property
    def machines(self) -> list[VirtualMachine]:
        """Machines that exist."""
        return list(self.api.machines.values())

    def no_room(self, times: int = 1) -> None:
        """Let the next creations fail for want of room in their zone."""
        self.api.faults += ["ZONE_RESOURCE_POOL_EXHAUSTED"] * times

    def no_quota(self) -> None:
        """Refuse the next creation for want of quota."""
        self.api.faults.append("quotaExceeded")

    def preempt(self, machine: VirtualMachine) -> None:
        """Take a machine away."""
        self._background.run(self.api.take_away(machine))

    def cut_connections(self) -> int:
        """Break every SSH connection."""

        async def cut() -> int:
            return sum(machine.relay.cut() for machine in self.machines if machine.relay is not None)

        return self._background.run(cut())

    def inside(self, machine: VirtualMachine, script: str) -> str:
        """Run a script as root in a machine."""
        return self._background.run(machine.inside(script))

    def __enter__(self) -> Self:
        self._background.run(self._start(), timeout=600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._background.run(self._stop())
        self._background.stop()
        self._folder.cleanup()

    async def _start(self) -> None:
        self._runner = web.AppRunner(self.api.application())
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self.api.take_all_away()
        await self._runner.cleanup()
