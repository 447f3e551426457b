"""The backend `modal`: sandboxes in Modal's cloud, through the unmodified SDK (extra `modal`)."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from cooperbench.environments.backend import CloudBackend, Orphan
from cooperbench.environments.contract import Capability, EnvironmentOptions, SandboxHandle, SandboxLabels, Transport
from cooperbench.environments.environment import Environment
from cooperbench.environments.modal.sdk import ModalSettings, modal_sdk, our_errors
from cooperbench.environments.modal.transport import APP, PLATFORM, ModalTransport, attach
from cooperbench.environments.readiness import Check, attempt
from cooperbench.errors import CapabilityError, SandboxLostError

__all__ = ["ModalBackend", "ModalEnvironment"]


class ModalEnvironment(Environment):
    """A sandbox at Modal. `timeout` is its lifetime in seconds; `options` are further fields of `EnvironmentOptions`."""

    def __init__(self, image: str, cwd: str = "/workspace/repo", timeout: float = 3600, **options: Any) -> None:
        super().__init__("modal", image, options=EnvironmentOptions(cwd=cwd, lifetime=timeout, **options))


class ModalBackend(CloudBackend):
    """Sandboxes at Modal. The SDK finds credentials and workspace: `modal token new`, or its environment variables."""

    name = "modal"
    configuration = ModalSettings

    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """Return all of them but a limit on processes, which Modal does not have, and an allowlist of names."""
        return frozenset(Capability) - {Capability.PROCESS_LIMIT, Capability.NETWORK_ALLOWLIST}

    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> Transport:
        """Prepare one sandbox. Raises `MissingExtraError`."""
        modal_sdk()
        if options.platform not in (None, PLATFORM):
            raise CapabilityError(f"Modal only runs {PLATFORM}, not {options.platform}", subject=options.platform)
        return ModalTransport(
            SandboxHandle(backend=self.name, identifier="", image=image, options=options, labels=labels)
        )

    def attach(self, handle: SandboxHandle) -> Transport:
        """Connect to a running sandbox."""
        return attach(handle)

    def checks(self) -> Iterator[Check]:
        """Check the SDK and the credentials."""
        installed = attempt("SDK", lambda: f"modal {modal_sdk().__version__}")
        yield installed
        if installed.ok:
            yield attempt("credentials", lambda: f"accepted; {len(self.orphans())} of our sandboxes run there")

    def orphans(self, run: str | None = None) -> list[Orphan]:
        """Return running sandboxes with our tags."""
        modal = modal_sdk()
        wanted = {"cooperbench": "1"} if run is None else {"cooperbench": "1", "cooperbench-run": run}
        found = []
        with our_errors("modal"):
            try:
                app = modal.App.lookup(APP)
            except modal.exception.NotFoundError:
                return []
            for sandbox in modal.Sandbox.list(app_id=app.app_id, tags=wanted):
                tags = sandbox.get_tags()
                orphan = Orphan(
                    backend=self.name,
                    kind="sandbox",
                    identifier=sandbox.object_id,
                    run=tags.get("cooperbench-run", ""),
                    owner=tags.get("cooperbench-owner", ""),
                    running=True,
                    description=f"{tags.get('cooperbench-episode', '')} {tags.get('cooperbench-agent', '')}".strip(),
                )
                found.append(orphan)
                sandbox.detach()
        return found

    def remove(self, orphan: Orphan) -> None:
        """Terminate a sandbox. One that is already gone is fine."""
        with contextlib.suppress(SandboxLostError), our_errors(orphan.identifier):
            sandbox = modal_sdk().Sandbox.from_id(orphan.identifier)
            sandbox.terminate()
            sandbox.detach()
