"""The worker: commands in sandboxes, their input and output."""

import asyncio
from typing import Any

from grpclib import GRPCError, Status
from modal_proto import task_command_router_grpc, task_command_router_pb2

from tests.standins.modal.fleet import Fleet
from tests.standins.modal.sandboxes import STDERR, STDOUT, Exec, Sandbox
from tests.standins.modal.service import Calls, Service, rpc

messages = task_command_router_pb2
CHUNK = 1 << 16


class Router(Service):
    """`modal.task_command_router.TaskCommandRouter`, as far as sandboxes use it."""

    generated = task_command_router_grpc.TaskCommandRouterBase

    def __init__(self, calls: Calls, fleet: Fleet) -> None:
        super().__init__(calls)
        self.fleet = fleet

    def _exec(self, request: Any) -> Exec:
        sandbox = self.fleet.find_task(request.task_id)
        if request.exec_id not in sandbox.execs:
            raise GRPCError(Status.NOT_FOUND, f"Exec {request.exec_id} not found")
        return sandbox.execs[request.exec_id]

    @rpc
    async def TaskExecStart(self, request: Any) -> Any:  # noqa: N802 - the names of RPCs are given
        sandbox = self.fleet.find_task(request.task_id)
        if request.exec_id not in sandbox.execs:  # a second delivery of the same exec starts nothing
            run = sandbox.execs[request.exec_id] = _read(request)
            try:
                run.process = await self.fleet.machine.exec(sandbox, run)
            except OSError as error:
                raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
            assert run.process.stdout is not None
            assert run.process.stderr is not None
            self.fleet.spawn(run.collect(STDOUT, run.process.stdout))
            self.fleet.spawn(run.collect(STDERR, run.process.stderr))
            self.fleet.spawn(self._wait(sandbox, run))
        return messages.TaskExecStartResponse()

    async def _wait(self, sandbox: Sandbox, run: Exec) -> None:
        assert run.process is not None
        try:
            code = await asyncio.wait_for(run.process.wait(), run.timeout)
        except TimeoutError:
            await self.fleet.machine.kill_exec(sandbox, run)
            await run.process.wait()
            code = -9
        await run.finish(code)

    @rpc
    async def TaskExecPoll(self, request: Any) -> Any:  # noqa: N802
        run = self._exec(request)
        return messages.TaskExecPollResponse() if run.running else messages.TaskExecPollResponse(**_ending(run))

    @rpc
    async def TaskExecWait(self, request: Any) -> Any:  # noqa: N802
        run = self._exec(request)
        async with run.changed:
            await run.changed.wait_for(lambda: not run.running)
        return messages.TaskExecWaitResponse(**_ending(run))

    async def TaskExecStdioRead(self, stream: Any) -> None:  # noqa: N802
        request = await stream.recv_message()
        self.calls.record("TaskExecStdioRead")
        run = self._exec(request)
        from_stdout = request.file_descriptor == messages.TASK_EXEC_STDIO_FILE_DESCRIPTOR_STDOUT
        descriptor, offset = STDOUT if from_stdout else STDERR, request.offset
        while chunk := await self._next(run, descriptor, offset):  # the SDK refuses empty messages
            await stream.send_message(messages.TaskExecStdioReadResponse(data=chunk))
            offset += len(chunk)
            self.calls.next_fault("TaskExecStdioRead")

    async def _next(self, run: Exec, descriptor: int, offset: int) -> bytes:
        async with run.changed:
            await run.changed.wait_for(lambda: len(run.output[descriptor]) > offset or run.ended[descriptor])
        return bytes(run.output[descriptor][offset : offset + CHUNK])

    @rpc
    async def TaskExecStdinWrite(self, request: Any) -> Any:  # noqa: N802
        run = self._exec(request)
        assert run.process is not None
        stdin = run.process.stdin
        assert stdin is not None
        data = request.data[max(0, run.written - request.offset) :]  # what a repeated delivery brings again is known
        try:
            if data:
                stdin.write(data)
                run.written += len(data)
                await stdin.drain()
            if request.eof and not run.stdin_closed:
                run.stdin_closed = True
                stdin.close()
        except (OSError, RuntimeError) as error:
            raise GRPCError(Status.FAILED_PRECONDITION, "stdin is closed") from error
        return messages.TaskExecStdinWriteResponse()

    @rpc
    async def TaskExecStdinStatus(self, request: Any) -> Any:  # noqa: N802
        run = self._exec(request)
        return messages.TaskExecStdinStatusResponse(num_bytes_written=run.written, closed=run.stdin_closed)

    @rpc
    async def TaskSnapshotFilesystem(self, request: Any) -> Any:  # noqa: N802
        try:
            content = await self.fleet.machine.snapshot(self.fleet.find_task(request.task_id))
        except RuntimeError as error:
            raise GRPCError(Status.FAILED_PRECONDITION, str(error)) from error
        return messages.TaskSnapshotFilesystemResponse(image_id=self.fleet.keep_image(content))


def _read(request: Any) -> Exec:
    env = dict(request.env)
    for source in request.secret_sources:
        if source.HasField("env"):
            env.update(dict(source.env.contents))
    timeout = float(request.timeout_secs) if request.HasField("timeout_secs") else None
    return Exec(request.exec_id, list(request.command_args), request.workdir, timeout, env)


def _ending(run: Exec) -> dict[str, int]:
    return {"code": run.code} if run.code is not None else {"signal": run.signal or 0}
