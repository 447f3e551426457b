"""`acp:COMMAND`: the adapter that drives an agent through the protocol, one prompt after another in one session."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cooperbench.agents.acp.client import CAPABILITIES, SandboxClient
from cooperbench.agents.acp.rpc import RpcError, RpcPeer
from cooperbench.agents.acp.settings import AcpSettings, read_settings
from cooperbench.agents.acp.updates import SessionUpdates
from cooperbench.agents.budget import current_budget
from cooperbench.agents.command_line.charges import ChargedAnswers
from cooperbench.agents.command_line.event_lines import EventLine
from cooperbench.agents.command_line.recorder import StreamRecorder
from cooperbench.agents.journal import current_journal
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.collaboration.message import HARNESS, shown_message
from cooperbench.environments import EnvironmentOptions, Process
from cooperbench.errors import AgentError, CooperBenchError
from cooperbench.records import utc_now
from cooperbench.records.activity import current_activity
from cooperbench.records.secrets import scrubbed

VERSION = 1
"""Of the protocol."""
START_SECONDS = 180.0
"""For the answers to `initialize` and `session/new`."""
CANCEL_AFTER = 5.0
"""Seconds from a limit until the prompt is cancelled: the refusal of the next model call ends most agents by itself."""
END_SECONDS = 10.0
"""For a program that was killed."""
LOG = "acp.jsonl"
_LONGEST_LOG = 100_000_000


class AcpRunner:
    """Any agent that speaks the Agent Client Protocol, such as acp:"opencode acp"."""

    def __init__(self, command: str) -> None:
        self._command = command

    def check_config(self, model_name: str, config: dict[str, Any] | None, agent_id: str = "agent") -> None:
        """Raise `UsageError` for settings that cannot work."""
        from cooperbench.gateway import check_gateway

        settings = read_settings(config)
        settings.check_layers()
        check_gateway(model_name, config, agent_id=agent_id)

    def run(
        self,
        task: str,
        image: str,
        *,
        model_name: str = "gpt-4o",
        config: dict[str, Any] | None = None,
        log_dir: str | None = None,
        **others: Any,
    ) -> AgentResult:
        """Prompt the agent with the task, then with messages of teammates, until none is left or a limit is reached."""
        settings = read_settings(config)
        options = EnvironmentOptions(layers=settings.layers)
        with AgentSession(
            image, model_name=model_name, config=config, log_dir=log_dir, options=options, **others
        ) as session:
            for folder in settings.folders(session.env.handle().layers):
                session.env.add_to_path(folder)
            variables = settings.variables(session.serve_gateway(), session.gateway.models.model)
            with session.env.spawn(self._command, env=variables, stdin=None) as process:
                conversation = AcpConversation(process, session, Path(log_dir) / LOG if log_dir else None)
                try:
                    conversation.run(task, settings)
                finally:
                    conversation.close()
            budget = current_budget()
            status = "LimitsExceeded" if budget.reached is not None else conversation.status
            return session.result(status, steps=budget.steps, usage=budget.usage, error=conversation.error)


class AcpConversation:
    """One session of the protocol."""

    def __init__(self, process: Process, session: AgentSession, log: Path | None) -> None:
        self._process = process
        self._mailbox = session.mailbox
        self._servers = _mcp_servers(session)
        self._folder = session.env.options.cwd
        self._client = SandboxClient(session.env)
        charges = ChargedAnswers()
        session.gateway.charged = charges.add
        self._recorder = StreamRecorder(
            SessionUpdates(), current_budget(), current_journal(), current_activity(), charges
        )
        self._log = log.open("ab") if log is not None else None
        self._logged = 0
        self._peer = RpcPeer(self._write, self._client.answer, self._notice)
        self._session = ""
        self.status = "Submitted"
        self.error: str | None = None
        self._reader = threading.Thread(target=self._read, name="acp-reader", daemon=True)
        self._reader.start()

    def run(self, task: str, settings: AcpSettings) -> None:
        """Work on the task. An error of the agent is raised, unless a limit explains it."""
        try:
            self._begin(settings)
            with self._cancelled_when_interrupted():
                self._prompt({"role": "user", "content": task})
                while current_budget().reached is None and (news := self._news()) is not None:
                    self._prompt(news)
        except RpcError:
            if current_budget().reached is None:
                raise
        except AgentError as error:
            if current_budget().reached is None:
                raise self._explained(error) from error

    def close(self) -> None:
        """Forget what the agent has started, and close the log."""
        self._client.close()
        self._process.kill()
        self._reader.join(timeout=END_SECONDS)  # a process is read by one thread, also while it is closed
        self._process.close()
        if self._log is not None:
            self._log.close()

    def _begin(self, settings: AcpSettings) -> None:
        about = {"name": "cooperbench", "version": "1"}
        hello = {"protocolVersion": VERSION, "clientCapabilities": CAPABILITIES, "clientInfo": about}
        self._peer.call("initialize", hello, _impatient)
        opened = self._peer.call("session/new", {"cwd": self._folder, "mcpServers": self._servers}, _impatient)
        self._session = str(opened.get("sessionId"))
        if settings.mode is not None:
            self._peer.call("session/set_mode", {"sessionId": self._session, "modeId": settings.mode}, _impatient)

    def _prompt(self, message: dict[str, Any]) -> None:
        current_journal().add(message)
        since: list[float] = []

        def cancel_at_limit(waited: float) -> None:
            if current_budget().reached is None:
                return
            since.append(waited)
            if waited - since[0] == CANCEL_AFTER:
                self._peer.notify("session/cancel", {"sessionId": self._session})

        parameters = {"sessionId": self._session, "prompt": [{"type": "text", "text": message["content"]}]}
        ended = self._peer.call("session/prompt", parameters, cancel_at_limit)
        self._recorder.finish()
        if (reason := ended.get("stopReason")) != "end_turn":
            self.status = {"refusal": "Refused", "cancelled": "Cancelled"}.get(str(reason), str(reason))
        else:
            self.status = "Submitted"

    def _news(self) -> dict[str, Any] | None:
        """Return what teammates wrote meanwhile; `None` for nothing, and for notices alone, which ends the work."""
        if self._mailbox is None:
            return None
        received = self._mailbox.receive()
        if all(message["from"] == HARNESS for message in received):
            return None
        senders = [str(message["from"]) for message in received]
        return {"role": "user", "content": "\n\n".join(map(shown_message, received)), "extra": {"senders": senders}}

    def _explained(self, error: AgentError) -> AgentError:
        """Add to an error what the program said and how it ended."""
        self._reader.join(timeout=5.0)
        code = self._process.returncode
        said = (self._process.stderr or self._peer.noise).strip()[-500:]
        ended = "" if code is None else f", with exit code {code}"
        return AgentError(f"{error.message}{ended}{f': {said}' if said else ''}", hint=error.hint)

    @contextmanager
    def _cancelled_when_interrupted(self) -> Iterator[None]:
        """Tell the agent that its time is over."""
        try:
            yield
        except KeyboardInterrupt:
            self._peer.notify("session/cancel", {"sessionId": self._session})
            raise

    def _read(self) -> None:
        try:
            for line in self._process:
                self._note(b"in", line.encode("utf-8", "replace"))
                self._peer.feed(line)
        except CooperBenchError:
            pass
        finally:
            self._peer.end()

    def _write(self, data: bytes) -> None:
        self._note(b"out", data.rstrip(b"\n"))
        self._process.write(data)

    def _notice(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "session/update" and isinstance(update := parameters.get("update"), dict):
            self._recorder.record(EventLine(update, ""))

    def _note(self, direction: bytes, line: bytes) -> None:
        if self._log is None or self._logged > _LONGEST_LOG:
            return
        text, _ = scrubbed(line)
        with suppress(ValueError):  # it was closed
            self._logged += self._log.write(direction + b" " + utc_now().isoformat().encode() + b" " + text + b"\n")


def _mcp_servers(session: AgentSession) -> list[dict[str, Any]]:
    """Return the MCP server of `coop`, for a member with teammates. The protocol wants absolute paths."""
    if session.mailbox is None:
        return []
    found = session.env.execute("command -v coop")
    path = found["output"].strip()
    return [{"name": "coop", "command": path, "args": ["mcp"], "env": []}] if found["returncode"] == 0 else []


def _impatient(waited: float) -> None:
    if waited >= START_SECONDS:
        raise AgentError(
            f"the program does not speak the Agent Client Protocol: no answer in {START_SECONDS:.0f} s",
            hint="name the whole command, such as acp:'opencode acp'",
        )
