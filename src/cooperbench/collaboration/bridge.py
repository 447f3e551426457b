"""The bridge between a sandbox and the harness, by which `coop` works with networking off, on every backend.

`coop` in the sandbox writes a request to a folder and waits on a FIFO. A relay, one long-lived shell that `Environment.open_stream`
started, carries requests out and answers in. A thread here answers them. Nothing in the sandbox knows an address or a password:
the stream that a call comes from tells who is calling, so no name can be forged.

Each call has an id. The relay keeps a request until it is answered, so a new relay can hand in what a killed one left open, and
an id that was seen is not carried out again. `coop` confirms that it has written the answer to its standard output; what was
taken for a call that died before that is given back (`Reply.dropped`).
"""

import hashlib
import logging
import posixpath
import threading
from contextlib import suppress
from importlib.resources import files

from cooperbench.collaboration.mcp_server import McpServer
from cooperbench.collaboration.rpc import Call, Handler, Reply, Service, refuse
from cooperbench.environments import Environment, Stream
from cooperbench.environments.contract import FrameReader
from cooperbench.errors import CooperBenchError, MailboxError, SandboxError, SandboxLostError, TransportError

MOST_AT_ONCE = 64
"""Calls that one sandbox may have open at a time; more are refused."""
LARGEST_PART = 256 * 1024 * 1024
"""Bytes of a call's arguments, or of its input."""
TOLERATED_FAILURES, TOLERATED_SHARE = 3, 0.1
"""More failures than this number and this share of all calls void the episode."""
_RESTARTS = 20
_CHECK_SECONDS = 180.0
"""A broken bridge fails at once. This only bounds one that hangs: a busy machine is slow, not broken."""
_TOO_MANY = "\0too many"

_log = logging.getLogger(__name__)


class CoopBridge:
    """Serves the `coop` calls of one sandbox until it is closed. Raises `SandboxError` when the sandbox cannot take part."""

    def __init__(self, env: Environment, services: list[Service]) -> None:
        self._env = env
        self._services = services
        self._handlers: dict[str, Handler] = {"ping": lambda call: Reply(stdout=call.input), "help": self._help}
        self._programs: dict[str, bytes] = {"coop": _inside("coop.sh"), "coop-mcp": _inside("coop-mcp")}
        tools = [tool for service in services for tool in service.tools]
        self._handlers["mcp-message"] = McpServer(tools, self._guarded, self._wake).answer
        for service in services:
            self._handlers |= service.handlers
            self._programs |= service.programs
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._replies: dict[str, Reply] = {}
        self._seen: set[str] = set()
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._closed = threading.Event()
        self.calls = 0
        self.failures = 0
        """Calls that failed through no fault of the agent: the broker, the remote or the sandbox did not answer."""
        self.folder = ""
        self._stream, reader = self._open()
        self.show_programs(env)
        self._thread = threading.Thread(target=self._serve, args=(reader,), name="cooperbench-bridge", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> MailboxError | None:
        """The error that voids the episode, once too many of its calls failed through no fault of the agent."""
        if self.failures <= TOLERATED_FAILURES or self.failures < self.calls * TOLERATED_SHARE:
            return None
        return MailboxError(f"{self.failures} of {self.calls} calls to teammates failed", retryable=True)

    @property
    def closed(self) -> bool:
        """True once `close` was called."""
        return self._closed.is_set()

    @property
    def kind(self) -> str:
        """A digest of the conditions of this bridge: one of the same kind works alike in another sandbox of the same image."""
        conditions = (self._env.backend, self._env.isolation, self._env.options.model_dump_json())
        parts = [*(text.encode() for text in conditions), _inside("relay.sh"), *self._programs.values()]
        return "bridge-" + hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]

    def show_programs(self, env: Environment) -> None:
        """Put the programs on the path of an environment of this sandbox; another process or `attach` may have made one more."""
        env.add_to_path(posixpath.join(self.folder, "bin"))

    def check(self) -> None:
        """Make one round trip from inside the sandbox. Raises `MailboxError` when it does not come back unchanged."""
        text = 'it\'s "here"\n$HOME ü'
        quoted = text.replace("'", "'\\''")
        result = self._env.execute(f"printf '%s' '{quoted}' | coop ping -", timeout=_CHECK_SECONDS)
        # Other programs of the image may have written to standard error as well.
        if result["returncode"] != 0 or text not in result["output"]:
            raise MailboxError(
                f"the sandbox cannot reach its teammates: `coop` printed {result['output'].strip()[:200]!r}, "
                f"exit code {result['returncode']}"
            )

    def close(self) -> None:
        """Hang up; calls that wait end with an error. Closing twice is fine."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            calls = list(self._calls.values())
        for call in calls:
            call.cancelled.set()
        if calls:
            self._wake()
        self._stream.close()
        self._thread.join(timeout=5.0)
        for service in self._services:
            with suppress(CooperBenchError):
                service.close()

    # The stream

    def _open(self) -> tuple[Stream, FrameReader]:
        stream = self._env.open_stream(_inside("relay.sh").decode())
        impatience = threading.Timer(_CHECK_SECONDS, stream.close)
        impatience.daemon = True
        impatience.start()
        try:
            reader = FrameReader(stream)
            greeting, _, rest = reader.read_line().decode(errors="replace").partition(" ")
            if greeting != "hello":
                raise SandboxError(f"cannot put `coop` into the sandbox: {rest or 'it has no POSIX shell'}")
            self.folder = rest
            for name, data in self._programs.items():
                stream.write(f"program {name} {len(data)}\n".encode() + data)
            stream.write(b"ready\n")
            if reader.read_line() != b"ready":
                raise SandboxError("cannot put `coop` into the sandbox")
        except BaseException:
            stream.close()
            raise
        finally:
            impatience.cancel()
        return stream, reader

    def _serve(self, reader: FrameReader) -> None:
        for _ in range(_RESTARTS):
            try:
                self._listen(reader)
            except (TransportError, ValueError):
                self._stream.close()
            if self._closed.is_set():
                return
            try:
                stream, reader = self._open()
            except CooperBenchError:
                return  # the sandbox has ended
            with self._lock:
                self._stream = stream
                if self._closed.is_set():
                    stream.close()
                    return

    def _listen(self, reader: FrameReader) -> None:
        while True:
            what, identifier, *sizes = reader.read_line().decode(errors="replace").split(" ")
            if what == "call":
                if any(int(size) > LARGEST_PART for size in sizes):
                    raise ValueError(f"a request of {' + '.join(sizes)} bytes")
                arguments, given = (reader.read(int(size)) for size in sizes)
                self._begin(identifier, arguments, given)
            elif what == "got":
                self._end(identifier, received=True)
            elif what == "dropped":
                self._end(identifier, received=False)
            else:
                raise ValueError(f"unknown word from the relay: {what!r}")

    def _begin(self, identifier: str, arguments: bytes, given: bytes) -> None:
        words = [word.decode(errors="surrogateescape") for word in arguments.split(b"\0")[:-1]]
        with self._lock:
            reply = self._replies.get(identifier)
            if reply is None:
                if identifier in self._seen:
                    return
                self._seen.add(identifier)
                call = self._calls[identifier] = Call(words[1:], given)
        if reply is not None:  # answered, but the relay was killed before it passed the answer on
            self._answer(identifier, reply)
            return
        verb = words[0] if words else "help"
        if not self._slots.acquire(blocking=False):
            verb = _TOO_MANY
        threading.Thread(
            target=self._carry_out, args=(identifier, verb, call), name=f"coop-{verb}", daemon=True
        ).start()

    def _carry_out(self, identifier: str, verb: str, call: Call) -> None:
        try:
            reply = self._reply(verb, call)
        finally:
            if verb != _TOO_MANY:
                self._slots.release()
        with self._lock:
            self.calls += 1
            del self._calls[identifier]
            if not call.cancelled.is_set():
                self._replies[identifier] = reply
        if call.cancelled.is_set():
            reply.dropped()
        else:
            self._answer(identifier, reply)

    def _reply(self, verb: str, call: Call) -> Reply:
        if verb == _TOO_MANY:
            return refuse(f"more than {MOST_AT_ONCE} calls at once")
        handler = self._handlers.get(verb)
        if handler is None:
            return refuse(f"unknown command {verb!r}; `coop help` lists what there is", 2)
        return self._guarded(handler, call)

    def _guarded(self, handler: Handler, call: Call) -> Reply:
        try:
            return handler(call)
        except CooperBenchError as error:
            with self._lock:
                self.failures += error.retryable or isinstance(error, SandboxLostError)
            return refuse(str(error))
        except Exception:
            # A bug here must not leave the agent waiting.
            _log.exception("coop failed")
            with self._lock:
                self.failures += 1
            return refuse("internal error", 70)

    def _answer(self, identifier: str, reply: Reply) -> None:
        header = f"answer {identifier} {reply.exit_code} {len(reply.stdout)} {len(reply.stderr)}\n"
        try:
            with self._sending:
                self._stream.write(header.encode() + reply.stdout + reply.stderr)
        except TransportError:
            self._stream.close()  # the serving thread opens the next one, whose relay asks for this answer again

    def _end(self, identifier: str, *, received: bool) -> None:
        with self._lock:
            reply = self._replies.pop(identifier, None)
            call = self._calls.get(identifier)
            if call is not None:
                call.cancelled.set()
        if call is not None:
            self._wake()
        if reply is not None:
            (reply.received if received else reply.dropped)()

    def _wake(self) -> None:
        """Wake handlers that wait. A broker or remote that is gone must not keep the sandbox from ending."""
        for service in self._services:
            with suppress(CooperBenchError):
                service.cancel()

    def _help(self, call: Call) -> Reply:
        usage = {how: what for service in self._services for how, what in service.usage.items()}
        width = max(map(len, usage), default=0)
        lines = [f"  coop {how:<{width}}  {what}\n" for how, what in usage.items()]
        return Reply(stdout="".join(["Work with your teammates:\n", *lines]).encode())


def _inside(name: str) -> bytes:
    return files("cooperbench.collaboration").joinpath("inside", name).read_bytes()
