"""Run a command-line agent: its program in the member's sandbox, its model calls through the gateway, its events into the record.

Nothing here knows a particular program; all of that is in its file. The program needs no network, and gets no key: the model is at a
port of the sandbox's loopback. Its work is captured like that of any agent.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cooperbench.agents.budget import current_budget
from cooperbench.agents.command_line.agent_file import AgentFile, filled
from cooperbench.agents.command_line.charges import ChargedAnswers
from cooperbench.agents.command_line.end_watch import EndWatch
from cooperbench.agents.command_line.event_lines import read_line
from cooperbench.agents.command_line.formats import FORMATS
from cooperbench.agents.command_line.raw_output import RawOutput
from cooperbench.agents.command_line.recorder import StreamRecorder
from cooperbench.agents.journal import current_journal
from cooperbench.agents.mini_swe_agent.models.keys import key_checks
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE, model_config
from cooperbench.agents.reading import one_line
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import shown_message
from cooperbench.environments import Check, Environment, EnvironmentOptions
from cooperbench.environments.layers import LayerRecipe, find_layer, install_command, pinned
from cooperbench.environments.process import Process
from cooperbench.errors import SandboxDamagedError, UsageError, suggestion
from cooperbench.gateway import check_gateway, preload
from cooperbench.gateway.insertion import ToolResultInsertion
from cooperbench.records.activity import current_activity

SECTIONS = ("backend", "init", "model", "side_model")
WRITE = 'mkdir -p "$(dirname "$1")" && head -c "$2" >"$1"'
SECONDS = 60.0
"""For a small file of the harness."""
LONGEST_REASON = 400
"""Characters of stderr that are shown as the reason of a failure; the member's logs have all of it."""


class CommandLineAgent:
    """Works as the file says."""

    def __init__(self, file: AgentFile) -> None:
        self.file = file

    @property
    def layer(self) -> LayerRecipe | None:
        """What has to be installed for it."""
        return self.file.layer

    def check_config(self, model_name: str, config: dict[str, Any] | None, agent_id: str = "agent") -> None:
        """Raise `UsageError` for a setting that the program cannot keep, and for a model that cannot be reached."""
        if unknown := sorted(set(config or {}) - set(SECTIONS)):
            raise UsageError(
                f"{self.file.name} cannot keep the setting {unknown[0]!r}{suggestion(unknown[0], SECTIONS, '')}",
                subject=unknown[0],
                hint=f"known are {', '.join(SECTIONS)}; what else the program does is in its agent file",
            )
        check_gateway(model_name, config, agent_id=agent_id, dialect=self.file.dialect)

    def checks(self, model_name: str, config: dict[str, Any] | None) -> Iterator[Check]:
        """Yield what is missing on this machine."""
        if self.file.layer is not None:
            layer, name = find_layer(self.file.name), self.file.name
            detail = "not installed" if layer is None else f"version {layer.version} is installed"
            fix = install_command(name) if layer is None else None
            yield Check(name=f"the agent {name}", ok=layer is not None, detail=detail, fix=fix)
        if not model_name.startswith(OFFLINE):
            yield from key_checks(model_name, model_config(model_name, (config or {}).get("model")))

    def preload(self, model_name: str, config: dict[str, Any] | None) -> tuple[str, ...]:
        """Return the modules that all members with this agent import."""
        return preload(model_name, config, self.file.dialect)

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        model_name: str = "gpt-4o",
        config: dict[str, Any] | None = None,
        log_dir: str | None = None,
        **kwargs: Any,
    ) -> AgentResult:
        """Start the program on the task, follow it until it ends, and say how it ended."""
        given = {"agent_id": agent_id, "model_name": model_name, "config": config, "log_dir": log_dir, **kwargs}
        options = EnvironmentOptions(layers=(self.file.name,)) if self.file.layer else None
        with AgentSession(image, options=options, **given) as session, ExitStack() as stack:
            gateway = session.gateway
            if self.file.messages == "tool_result" and session.mailbox is not None:
                gateway.rewrite = ToolResultInsertion(_news(session.mailbox)).rewrite
            charges = ChargedAnswers()
            gateway.charged = charges.add
            raw = stack.enter_context(RawOutput(None if log_dir is None else Path(log_dir)))
            process = stack.enter_context(self._start(session, task, model_name))
            recorder = self._follow(process, raw, charges)
            return self._result(session, process, recorder, gateway.calls)

    def _start(self, session: AgentSession, task: str, model: str) -> Process:
        env = session.env
        home = env.run_script('printf %s "${HOME:-/tmp}"', timeout=SECONDS).stdout.decode()
        layer = pinned(self.file.name, env.handle().layers[self.file.name]) if self.file.layer else None
        values = {
            "address": session.serve_gateway(),
            "home": home,
            "layer": layer.place if layer else "",
            "mcp": self.file.mcp if session.mailbox is not None else "",
            "model": model,
            "program": layer.program_path if layer else "",
            "task": f"{home}/.cooperbench/task.md",
        }
        files = {values["task"]: task}
        for path, text in self.file.files.items():
            files[f"{home}/{path[2:]}" if path.startswith("~/") else path] = filled(text, values)
        for path, text in files.items():
            _write(env, path, text.encode("utf-8", "surrogateescape"))
        return env.spawn(
            filled(self.file.command, values, shell=True),
            env={name: filled(value, values) for name, value in self.file.env.items()},
            stdin=files[values["task"]].encode("utf-8", "surrogateescape") if self.file.stdin == "task" else b"",
        )

    def _follow(self, process: Process, raw: RawOutput, charges: ChargedAnswers) -> StreamRecorder:
        """Record what the program reports, until it ends."""
        form = FORMATS[self.file.events]()
        recorder = StreamRecorder(form, current_budget(), current_journal(), current_activity(), charges)
        with EndWatch(process, current_budget()) as watch:
            for line in process:
                raw.add(line)
                recorder.record(read_line(line))
                watch.heard(ended=recorder.final is not None)
            process.wait()
        recorder.finish()
        raw.add_stderr(process.stderr)
        return recorder

    def _result(self, session: AgentSession, process: Process, recorder: StreamRecorder, calls: int) -> AgentResult:
        budget, code = current_budget(), process.returncode
        failed = recorder.final is not None and recorder.final.failed
        done = code is not None and self.file.succeeded.has(code) and not failed
        lingered = recorder.final is not None and not failed and not done and code is not None and code > 128
        if budget.reached is not None:
            status, error = "LimitsExceeded", None
        elif done or lingered:
            status, error = "Submitted", None
        else:
            status, error = "Error", self._reason(process, recorder)
        return session.result(status, steps=calls, usage=budget.usage, error=error)

    def _reason(self, process: Process, recorder: StreamRecorder) -> str:
        code = process.returncode or 0
        how = f"by signal {code - 128}" if code > 128 else f"with exit code {code}"
        said = recorder.final.text if recorder.final is not None and recorder.final.failed else process.stderr.strip()
        return one_line(
            f"{self.file.name} ended {how}: {said[-LONGEST_REASON:] or 'it said nothing'}", 2 * LONGEST_REASON
        )


def _news(mailbox: MessagingConnector) -> Callable[[], str]:
    """Return what reads new messages of teammates, as text for a model."""

    def read() -> str:
        received = mailbox.receive()
        text = "\n\n".join(map(shown_message, received))
        if text:
            senders = [message["from"] for message in received]
            current_journal().add({"role": "user", "content": text, "extra": {"senders": senders}})
        return text

    return read


def _write(env: Environment, path: str, data: bytes) -> None:
    reply = env.run_script(WRITE, path, str(len(data)), stdin=data, timeout=SECONDS)
    if reply.returncode != 0:
        said = one_line(reply.stderr.decode("utf-8", "replace"))
        raise SandboxDamagedError(f"cannot write {path} in the sandbox: {said}", subject=path)
