"""The sandboxes of one member: set up before its agent sees them, and taken before they end."""

import contextlib
import os
import signal

from cooperbench.collaboration.bridge import CoopBridge
from cooperbench.collaboration.connect import connect
from cooperbench.environments import Environment
from cooperbench.environments.bases import prepare_for_agent
from cooperbench.environments.worktree import capture
from cooperbench.records import Failure, utc_now, write_model
from cooperbench.records.member_files import MemberFolder, StartedSandbox
from cooperbench.runner.workers.specs import MemberSpec


class MemberSandboxes:
    """Set up the sandboxes that the agent opens, and take their work before they end."""

    def __init__(self, spec: MemberSpec, folder: MemberFolder) -> None:
        self._spec = spec
        self._folder = folder
        self._ready: dict[int, tuple[Environment, str, CoopBridge | None]] = {}
        self.failure: Failure | None = None
        """The harness's own failure, kept even where the agent swallows the error."""

    def prepare(self, environment: Environment) -> None:
        """Prepare a sandbox that has just started, and connect it with the team."""
        try:
            # The agent gets to see what the image has checked out; nothing later may be found beside it.
            base = prepare_for_agent(environment, self._spec.store)
            # Alone there is nobody to speak to, and nothing of a team is put into the sandbox.
            together = len(self._spec.access.agents) > 1
            bridge = connect(environment, self._spec.access, history_stripped=True) if together else None
        except BaseException as error:
            self.failure = Failure.of(error, boundary="environment")
            raise
        self._ready[id(environment)] = (environment, base, bridge)
        started = StartedSandbox(
            isolation=environment.isolation,
            image_digest=environment.image_digest,
            layers=environment.handle().layers,
            base_tree=base,
            ready_at=utc_now(),
        )
        write_model(self._folder.sandbox, started)

    def capture(self, environment: Environment) -> None:
        """Take the work in a sandbox that is about to end."""
        ready = self._ready.pop(id(environment), None)
        if ready is None:
            return
        _steady()
        _, base, bridge = ready
        if bridge is not None:
            bridge.close()
            if bridge.fault is not None:
                self.failure = self.failure or Failure.of(bridge.fault, boundary="mailbox")
        try:
            taken = capture(environment, self._spec.store, base)
        except BaseException as error:
            self.failure = Failure.of(error, boundary="environment")
            raise
        # An agent that opened several environments is taken at its last one in which it did something.
        self._folder.keep_capture(taken)

    def close(self) -> None:
        """Capture and end what the agent left open."""
        for environment, _, _ in list(self._ready.values()):
            try:
                environment.cleanup()
            except Exception as error:
                self.failure = self.failure or Failure.of(error, boundary="environment")


def _steady() -> None:
    """Undo what an agent may have done to its process that makes programs fail or their results unreadable."""
    with contextlib.suppress(ValueError):  # in a thread of the agent's: only the main one may
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, every program seems to succeed
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        os.chdir("/")
