"""The control plane: apps, images, and the life of sandboxes."""

import asyncio
import uuid
from typing import Any

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_grpc, api_pb2

from tests.standins.modal.fleet import Fleet
from tests.standins.modal.sandboxes import Sandbox
from tests.standins.modal.service import Calls, Service, rpc, token

SUCCESS = api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
FAILURE = api_pb2.GenericResult.GENERIC_STATUS_FAILURE
TERMINATED = api_pb2.GenericResult.GENERIC_STATUS_TERMINATED
PAGE = 100


class Control(Service):
    """`modal.client.ModalClient`, as far as sandboxes use it."""

    generated = api_grpc.ModalClientBase

    def __init__(self, calls: Calls, fleet: Fleet) -> None:
        super().__init__(calls)
        self.fleet = fleet
        self.apps: dict[str, str] = {}
        self.url = ""

    @rpc
    async def ClientHello(self, request: Any) -> Any:  # noqa: N802 - the names of RPCs are given
        return api_pb2.ClientHelloResponse()

    @rpc
    async def AuthTokenGet(self, request: Any) -> Any:  # noqa: N802
        return api_pb2.AuthTokenGetResponse(token=token(1200))

    @rpc
    async def EnvironmentGetOrCreate(self, request: Any) -> Any:  # noqa: N802
        settings = api_pb2.EnvironmentSettings(image_builder_version="2025.06")
        metadata = api_pb2.EnvironmentMetadata(name=request.deployment_name or "main", settings=settings)
        return api_pb2.EnvironmentGetOrCreateResponse(environment_id="en-1", metadata=metadata)

    @rpc
    async def AppGetOrCreate(self, request: Any) -> Any:  # noqa: N802
        may_create = request.object_creation_type == api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING
        if request.app_name not in self.apps and not may_create:
            raise GRPCError(Status.NOT_FOUND, f"App '{request.app_name}' not found")
        app = self.apps.setdefault(request.app_name, f"ap-{uuid.uuid4().hex[:22]}")
        metadata = api_pb2.AppHandleMetadata(description=request.app_name, app_id=app)
        return api_pb2.AppGetOrCreateResponse(app_id=app, handle_metadata=metadata)

    @rpc
    async def ImageGetOrCreate(self, request: Any) -> Any:  # noqa: N802
        bases = {base.docker_tag: self.fleet.images[base.image_id] for base in request.image.base_images}
        try:
            built = await self.fleet.machine.build(list(request.image.dockerfile_commands), bases)
        except RuntimeError as error:
            failed = api_pb2.GenericResult(status=FAILURE, exception=str(error))
            return api_pb2.ImageGetOrCreateResponse(image_id="im-bad", result=failed)
        result = api_pb2.GenericResult(status=SUCCESS)
        return api_pb2.ImageGetOrCreateResponse(
            image_id=self.fleet.keep_image(built), result=result, metadata=api_pb2.ImageMetadata()
        )

    @rpc
    async def ImageFromId(self, request: Any) -> Any:  # noqa: N802
        if request.image_id not in self.fleet.images:
            raise GRPCError(Status.NOT_FOUND, f"Image {request.image_id} not found")
        return api_pb2.ImageFromIdResponse(image_id=request.image_id)

    @rpc
    async def VolumeGetOrCreate(self, request: Any) -> Any:  # noqa: N802
        found = self.fleet.volumes.get_or_create(request.deployment_name)
        metadata = api_pb2.VolumeMetadata(version=api_pb2.VOLUME_FS_VERSION_V1, name=request.deployment_name)
        return api_pb2.VolumeGetOrCreateResponse(volume_id=found, metadata=metadata)

    @rpc
    async def VolumeListFiles(self, request: Any) -> Any:  # noqa: N802
        entries = self.fleet.volumes.list(request.volume_id, request.path)
        return api_pb2.VolumeListFilesResponse(entries=entries)

    @rpc
    async def MountPutFile(self, request: Any) -> Any:  # noqa: N802
        return api_pb2.MountPutFileResponse(exists=self.fleet.volumes.put_file(request))

    @rpc
    async def BlobCreate(self, request: Any) -> Any:  # noqa: N802
        return self.fleet.volumes.create_blob()

    @rpc
    async def VolumePutFiles(self, request: Any) -> Any:  # noqa: N802
        self.fleet.volumes.commit(request)
        return Empty()

    @rpc
    async def SandboxCreateV2(self, request: Any) -> Any:  # noqa: N802
        sources = [source for source in request.secret_sources if source.HasField("env")]
        sandbox = Sandbox(
            app_id=request.app_id,
            definition=request.definition,
            tags={tag.tag_name: tag.tag_value for tag in request.tags},
            env={name: value for source in sources for name, value in source.env.contents.items()},
        )
        try:
            await self.fleet.start(sandbox)
        except RuntimeError as error:
            raise GRPCError(Status.FAILED_PRECONDITION, str(error)) from error
        return api_pb2.SandboxCreateV2Response(
            sandbox_id=sandbox.id,
            task_id=sandbox.task_id,
            metadata=api_pb2.SandboxHandleMetadata(app_id=request.app_id),
            command_router_access=api_pb2.CommandRouterAccess(url=self.url, jwt=token(self.fleet.token_seconds)),
            sandbox_token="token",
        )

    @rpc
    async def SandboxGetCommandRouterAccess(self, request: Any) -> Any:  # noqa: N802
        return api_pb2.SandboxGetCommandRouterAccessResponse(url=self.url, jwt=token(self.fleet.token_seconds))

    @rpc
    async def SandboxGetTaskIdV2(self, request: Any) -> Any:  # noqa: N802
        sandbox = self.fleet.find(request.sandbox_id)
        if sandbox.result is not None:
            return api_pb2.SandboxGetTaskIdResponse(task_result=sandbox.result)
        return api_pb2.SandboxGetTaskIdResponse(task_id=sandbox.task_id)

    @rpc
    async def SandboxWaitV2(self, request: Any) -> Any:  # noqa: N802
        sandbox = self.fleet.find(request.sandbox_id)
        if not sandbox.done.is_set() and request.timeout > 0:
            await asyncio.wait([asyncio.ensure_future(sandbox.done.wait())], timeout=request.timeout)
        metadata = api_pb2.SandboxHandleMetadata(app_id=sandbox.app_id)
        return api_pb2.SandboxWaitResponse(result=sandbox.result, metadata=metadata)

    @rpc
    async def SandboxTerminateV2(self, request: Any) -> Any:  # noqa: N802
        sandbox = self.fleet.find(request.sandbox_id)
        if sandbox.result is not None:
            return api_pb2.SandboxTerminateResponse(existing_result=sandbox.result)
        self.fleet.spawn(self.fleet.end(sandbox, TERMINATED))
        return api_pb2.SandboxTerminateResponse()

    @rpc
    async def SandboxListV2(self, request: Any) -> Any:  # noqa: N802
        wanted = {tag.tag_name: tag.tag_value for tag in request.tags}
        before = request.before_timestamp
        found = [
            sandbox
            for sandbox in self.fleet.sandboxes.values()
            if (request.include_finished or sandbox.result is None)
            and (not request.app_id or sandbox.app_id == request.app_id)
            and wanted.items() <= sandbox.tags.items()
            and (not before or sandbox.created < before)
        ]
        found.sort(key=lambda sandbox: -sandbox.created)
        return api_pb2.SandboxListResponse(sandboxes=[_info(sandbox) for sandbox in found[:PAGE]])

    @rpc
    async def SandboxTagsSetV2(self, request: Any) -> Any:  # noqa: N802
        self.fleet.find(request.sandbox_id).tags = {tag.tag_name: tag.tag_value for tag in request.tags}
        return Empty()

    @rpc
    async def SandboxTagsGetV2(self, request: Any) -> Any:  # noqa: N802
        return api_pb2.SandboxTagsGetResponse(tags=_tags(self.fleet.find(request.sandbox_id)))


def _tags(sandbox: Sandbox) -> list[Any]:
    return [api_pb2.SandboxTag(tag_name=name, tag_value=value) for name, value in sandbox.tags.items()]


def _info(sandbox: Sandbox) -> Any:
    return api_pb2.SandboxInfo(
        id=sandbox.id,
        created_at=sandbox.created,
        app_id=sandbox.app_id,
        tags=_tags(sandbox),
        metadata=api_pb2.SandboxHandleMetadata(app_id=sandbox.app_id),
    )
