"""Drive a run on a Ray cluster: have a claimant on each node, show the record, and end all in order.

The driver runs no episode. Claims see to it that each is finished once, whatever becomes of nodes; the driver only says sooner than
their patience would that a claimant is dead.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

from cooperbench import __version__
from cooperbench.errors import UsageError
from cooperbench.runner.engine.claims import ClaimOptions, release
from cooperbench.runner.engine.engine import RESUME, TICK, SessionEnd
from cooperbench.runner.engine.observer import Observer
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.engine.signals import handled
from cooperbench.runner.planning.plan import Plan
from cooperbench.runner.ray.claimant import encode
from cooperbench.runner.ray.cluster import ClusterNode, Heard, NodeClaimant, living_nodes
from cooperbench.runner.ray.following import RecordFollower
from cooperbench.runner.ray.messages import NodeMessage

ANSWER_WITHIN = 60.0
"""Seconds in which nodes answer before the run begins. Starting an actor took 6 to 26 s on a busy machine."""
NEW_NODES = 5.0
"""Seconds between two looks for nodes that have joined."""


class Driver:
    """One session of work on a run. Belongs to the thread that made it."""

    def __init__(self, plan: Plan, options: SessionOptions, observer: Observer, mark: Path) -> None:
        """Prepare. `mark` is a new file in the run directory, which nodes must see."""
        self._plan = plan
        self._options = options
        self._observer = observer
        self._mark = str(mark)
        self._members = max(len(episode.members) for episode in plan.episodes)
        self._heard: SimpleQueue[Heard] = SimpleQueue()
        self._at_work: list[NodeClaimant] = []
        self._known: set[str] = set()
        self._said: set[str] = set(plan.notes)
        self._refusals: list[NodeMessage] = []
        self._endings: list[NodeMessage] = []
        self._interrupted = False
        self._looked = time.monotonic()

    def recruit(self, by_node: dict[ClusterNode, int]) -> None:
        """Have an actor on each of these nodes. Raises `UsageError` if one cannot take part."""
        for node, share in by_node.items():
            self._add(node, share)
        deadline = time.monotonic() + ANSWER_WITHIN
        for claimant in self._at_work:
            try:
                refusal = claimant.refusal(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                self._observer.note(f"{claimant.node.name}: waits for sandboxes that others use")
                continue
            if refusal is not None:
                name = claimant.node.name
                raise UsageError(f"node {name} {refusal.text}", subject=name, hint=refusal.hint)

    def run(self) -> SessionEnd:
        """Work until all episodes are finished. Raises `UsageError` when no node can begin."""
        follower = RecordFollower(self._plan, self._observer)
        counts = follower.look(self._capacity)
        self._observer.begin(self._plan, counts)
        try:
            with handled(self._interrupt, self._quit):
                for claimant in self._at_work:
                    self._begin(claimant)
                while self._at_work:
                    self._hear()
                    counts = follower.look(self._capacity)
                    self._observer.tick(counts)
                    self._welcome()
            follower.show_unfinished()
        finally:
            self._observer.end(counts)
        if self._refusals and not self._endings:
            first = self._refusals[0]
            raise UsageError(first.text, subject=first.subject, hint=first.hint)
        return SessionEnd(self._interrupted, self._why_stopped(), tuple(follower.progress.spans))

    def close(self) -> None:
        """End what is left at once."""
        for claimant in self._at_work:
            claimant.kill()

    @property
    def _capacity(self) -> int:
        return sum(claimant.share for claimant in self._at_work)

    def _add(self, node: ClusterNode, share: int) -> NodeClaimant:
        self._known.add(node.id)
        claimant = NodeClaimant(node, share, self._members)
        claimant.ask(__version__, str(Path.cwd()), self._mark)
        self._at_work.append(claimant)
        return claimant

    def _begin(self, claimant: NodeClaimant) -> None:
        share, options = claimant.share, self._options
        own = replace(
            options,
            concurrency=share,
            eval_concurrency=-(-options.eval_concurrency * share // max(share, self._capacity)),
            claims=replace(options.claims or ClaimOptions(), token=claimant.token),
            force=False,
        )
        log = self._plan.directory.path / "ray" / f"{claimant.node.name}-{claimant.token}.log"
        log.parent.mkdir(exist_ok=True)
        # Not by Ray's `runtime_env`, which it keeps, and shows in its dashboard: keys are among them.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        # Ray's own copies of packages come first in its processes, and would be taken for ours.
        path = [entry or str(Path.cwd()) for entry in sys.path if not entry.endswith("thirdparty_files")]
        claimant.begin(encode(path, self._plan, own), environment, str(Path.cwd()), str(log), self._heard)

    def _hear(self) -> None:
        try:
            heard = self._heard.get(timeout=2 * TICK)
            while True:
                self._answer(*heard)
                heard = self._heard.get_nowait()
        except Empty:
            return

    def _answer(self, claimant: NodeClaimant, message: NodeMessage) -> None:
        name = claimant.node.name
        if not message.is_last:
            self._note_once(name, message.text)
            return
        self._at_work.remove(claimant)
        claimant.kill()
        if message.kind == "refused":
            self._refusals.append(message)
            self._observer.note(f"{name} does not take part: {message.text}")
            return
        self._endings.append(message)
        if message.kind == "lost":
            held = release(claimant.token, (episode.directory for episode in self._plan.episodes))
            self._observer.note(f"{name} is lost ({message.text}); episodes of it that others repeat: {held}")
        elif message.kind == "interrupted" and not self._interrupted:
            self._observer.note(f"{name} was interrupted")

    def _note_once(self, name: str, text: str) -> None:
        if text not in self._said and not self._interrupted:
            self._said.add(text)
            self._observer.note(f"{name}: {text}")

    def _welcome(self) -> None:
        """Have nodes that have joined take part, as far as there is work for them."""
        if self._interrupted or not self._at_work or time.monotonic() < self._looked + NEW_NODES:
            return
        self._looked = time.monotonic()
        for node in living_nodes():
            share = min(node.sandboxes // self._members, self._options.concurrency - self._capacity)
            if node.id not in self._known and share > 0:
                self._observer.note(f"{node.name} has joined: {share} episodes at once")
                self._begin(self._add(node, share))

    def _interrupt(self) -> None:
        self._interrupted = True
        for claimant in list(self._at_work):
            claimant.stop()
        self._observer.note(f"interrupted: ending episodes on all nodes with their work captured; {RESUME}")

    def _quit(self) -> None:
        run = self._plan.config.run
        self._observer.note(f"quitting at once: `cooperbench clean --run {run}` on each node removes what is left")

    def _why_stopped(self) -> str:
        """Return why the session ended before its work was done; empty when it did not."""
        if self._interrupted or any(ending.kind == "ended" and not ending.text for ending in self._endings):
            return ""
        reasons = (ending.text for ending in self._endings if ending.kind == "ended")
        return next(reasons, "no node of the cluster is left")
