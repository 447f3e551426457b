"""Volumes: folders that sandboxes mount. Files are kept by their checksum, and large ones come over HTTP."""

import hashlib
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

from aiohttp import web
from grpclib import GRPCError, Status
from modal_proto import api_pb2


class Volumes:
    """The volumes of a workspace, by id."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="modal-volumes-")
        self._files = Path(self._place.name, "files")
        self._files.mkdir()
        self._names: dict[str, str] = {}
        self.uploaded = 0
        """Bytes of files that were sent."""
        self._url = ""

    async def start(self) -> None:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_put("/{blob}", self._put_blob)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()
        self._place.cleanup()

    def get_or_create(self, name: str) -> str:
        found = self._names.setdefault(name, f"vo-{uuid.uuid4().hex[:22]}")
        self.folder(found).mkdir(exist_ok=True)
        return found

    def forget(self, name: str) -> None:
        """Delete a volume behind its owner's back."""
        shutil.rmtree(self.folder(self._names.pop(name)))

    @property
    def names(self) -> list[str]:
        return list(self._names)

    def folder(self, volume_id: str) -> Path:
        return Path(self._place.name, volume_id)

    def put_file(self, request: Any) -> bool:
        """Keep what was sent, and return whether the file is here."""
        target = self._files / str(request.sha256_hex)
        kind = request.WhichOneof("data_oneof")
        if kind == "data_blob_id":
            Path(self._place.name, request.data_blob_id).replace(target)
        elif kind == "data":
            target.write_bytes(request.data)
            self.uploaded += len(request.data)
        return target.exists()

    def create_blob(self) -> Any:
        blob = f"bl-{uuid.uuid4().hex[:22]}"
        urls = api_pb2.UploadUrlList(items=[f"{self._url}/{blob}"])
        return api_pb2.BlobCreateResponse(blob_ids=[blob], upload_urls=urls)

    async def _put_blob(self, request: web.Request) -> web.Response:
        digest = hashlib.md5(usedforsecurity=False)
        with Path(self._place.name, request.match_info["blob"]).open("wb") as file:
            async for chunk in request.content.iter_chunked(1 << 20):
                file.write(chunk)
                digest.update(chunk)
                self.uploaded += len(chunk)
        return web.Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    def commit(self, request: Any) -> None:
        for file in request.files:
            target = self.folder(request.volume_id) / file.filename.lstrip("/")
            if request.disallow_overwrite_existing_files and target.exists():
                raise GRPCError(Status.ALREADY_EXISTS, f"{file.filename} exists")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._files / file.sha256_hex, target)
            target.chmod(file.mode or 0o644)

    def list(self, volume_id: str, path: str) -> list[Any]:
        base = self.folder(volume_id)
        found = sorted((base / path.lstrip("/")).iterdir())
        kinds = {True: api_pb2.FileEntry.DIRECTORY, False: api_pb2.FileEntry.FILE}
        return [api_pb2.FileEntry(path=str(each.relative_to(base)), type=kinds[each.is_dir()]) for each in found]
