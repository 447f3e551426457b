"""One git server for all episodes of a run, on loopback.

It speaks git's smart HTTP, so any git can be its client with nothing but a URL. Every agent of every episode has its own token,
which opens only the repository of its episode. The server decides in front of git which branches of a push are accepted
(`BranchRules`), so there is no hook that could be missing or planted.
"""

import hmac
import secrets
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

from cooperbench.collaboration.git_http import GitHttpServer
from cooperbench.collaboration.git_repositories import GIT, Repositories
from cooperbench.collaboration.git_service import EpisodeService, GitEvent
from cooperbench.errors import RemoteError
from cooperbench.records.paths import AnyPath


class _Entry(NamedTuple):
    service: EpisodeService
    tokens: dict[str, str]


class GitServer:
    """The server; `with GitServer(root) as server:` runs it. Repositories are made below `root`.

    `on_event` is called with every push and fetch from the server's threads, before the client has its answer. It must not raise.
    """

    def __init__(self, root: AnyPath, *, on_event: Callable[[GitEvent], None] | None = None) -> None:
        self.repositories = Repositories(Path(root))
        self._on_event = on_event
        self._entries: dict[str, _Entry] = {}
        self._events: list[GitEvent] = []
        self._lock = threading.Lock()
        self._http: GitHttpServer | None = None

    def __enter__(self) -> Self:
        GIT.require()
        self._http = GitHttpServer(self._find)
        threading.Thread(target=self._http.serve_forever, args=(0.2,), name="git-server", daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving. The repositories stay. Closing twice is fine."""
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def create_repository(self, episode: str, agents: Iterable[str], *, base: AnyPath | None = None) -> dict[str, str]:
        """Make the shared repository of an episode and return each agent's URL, with the credentials in it.

        `base` is a repository or a bundle whose HEAD becomes `main`. Without it, the setup of the first sandbox brings the base
        commit, and later episodes with the same one find it here. An episode that exists starts afresh, and its old URLs stop
        working.
        """
        if not episode:
            raise RemoteError("an episode needs a name")
        key = quote(episode, safe="")
        tokens = {agent: secrets.token_urlsafe(24) for agent in agents}
        service = EpisodeService(episode, tokens, self.repositories, self._record, has_main=base is not None)
        with self._lock:
            self._entries.pop(key, None)
        self.repositories.create(episode)
        if base is not None:
            commit = self.repositories.keep_base(Path(base))
            self.repositories.borrow_base(episode, commit)
            self.repositories.set_main(episode, commit)
        with self._lock:
            self._entries[key] = _Entry(service, tokens)
        place = f"127.0.0.1:{self._port}/{key}.git"
        return {agent: f"http://{agent}:{token}@{place}" for agent, token in tokens.items()}

    def events(self, episode: str | None = None) -> list[GitEvent]:
        """Return the events so far, of one episode or of all, in order."""
        with self._lock:
            return [event for event in self._events if episode in (None, event.episode)]

    def published(self, episode: str, agent_id: str) -> str | None:
        """Say where an agent's work is, such as `origin/agent2 at 1a2b3c4: Add the parser`; `None` if it pushed nothing."""
        commit = self.repositories.branches(episode).get(f"refs/heads/{agent_id}")
        return f"origin/{agent_id} at {commit[:7]}: {self.repositories.subject(episode, commit)}" if commit else None

    @property
    def _port(self) -> int:
        if self._http is None:
            raise RemoteError("the git server is not running", hint="use it as a context manager")
        return self._http.server_port

    def _find(self, key: str, agent: str, token: str) -> EpisodeService | None:
        with self._lock:
            entry = self._entries.get(key)
        expected = entry.tokens.get(agent) if entry else None
        if entry is None or expected is None or not hmac.compare_digest(expected.encode(), token.encode()):
            return None
        return entry.service

    def _record(self, event: GitEvent) -> None:
        with self._lock:
            self._events.append(event)
        if self._on_event:
            self._on_event(event)
