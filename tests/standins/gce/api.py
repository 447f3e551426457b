"""The REST API, version 1: instances, their guest attributes, and zone operations."""

import asyncio
import itertools
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from tests.standins.gce.account import Account
from tests.standins.gce.machine import VirtualMachine

Key = tuple[str, str, str]
NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
LABEL_KEY, LABEL_VALUE = r"[a-z][-_a-z0-9]{0,62}", r"[-_a-z0-9]{0,63}"
WAIT_SECONDS = 20.0


class Operation:
    """Something under way."""

    def __init__(self, project: str, zone: str, kind: str) -> None:
        self.name = f"operation-{uuid.uuid4().hex[:12]}"
        self.done = asyncio.Event()
        self.resource: dict[str, Any] = {
            "kind": "compute#operation",
            "id": str(uuid.uuid4().int % 10**18),
            "name": self.name,
            "operationType": kind,
            "status": "RUNNING",
            "progress": 0,
            "zone": f"projects/{project}/zones/{zone}",
        }

    def finish(self, error: tuple[str, str] | None = None) -> None:
        self.resource |= {"status": "DONE", "progress": 100}
        if error is not None:
            self.resource |= {
                "error": {"errors": [{"code": error[0], "message": error[1]}]},
                "httpErrorStatusCode": 503,
                "httpErrorMessage": "SERVICE UNAVAILABLE",
            }
        self.done.set()


class Api:
    """All projects of the stand-in. `faults` holds what the next creations meet; `inserts` what was asked for."""

    def __init__(self, boot_seconds: float, account: Account) -> None:
        self._account = account
        self.unwritten: Counter[str] = Counter()
        self.machines: dict[Key, VirtualMachine] = {}
        self.faults: list[str] = []
        self.inserts: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.boot_seconds = boot_seconds
        self._operations: dict[str, Operation] = {}
        self._by_request: dict[str, Operation] = {}
        self._addresses = itertools.count(10)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._admit])
        zone = "/compute/v1/projects/{project}/zones/{zone}"
        application.add_routes(
            [
                web.post(f"{zone}/instances", self.insert),
                web.get(f"{zone}/instances/{{name}}", self.get),
                web.delete(f"{zone}/instances/{{name}}", self.delete),
                web.get(f"{zone}/instances/{{name}}/getGuestAttributes", self.guest_attributes),
                web.post(f"{zone}/operations/{{name}}/wait", self.wait),
                web.get("/compute/v1/projects/{project}/aggregated/instances", self.aggregated),
            ]
        )
        return application

    async def take_away(self, machine: VirtualMachine) -> None:
        for key, known in list(self.machines.items()):
            if known is machine:
                del self.machines[key]
        ending = asyncio.ensure_future(machine.power_off())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        await ending

    async def take_all_away(self) -> None:
        """End every machine, also those that the client has just asked to delete."""
        await asyncio.gather(*(self.take_away(machine) for machine in list(self.machines.values())), *self._ending)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        resource = request.match_info.route.resource
        self.calls[f"{request.method} {resource.canonical if resource else request.path}"] += 1
        if resource is None:
            self.unwritten[f"{request.method} {request.path}"] += 1
        if not self._account.signed(request.headers.get("Authorization")):
            return _refuse(401, "authError", "Request had invalid authentication credentials.")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def insert(self, request: web.Request) -> web.Response:
        project, zone, body = request.match_info["project"], request.match_info["zone"], await request.json()
        request_id = request.query.get("requestId")
        if request_id and request_id in self._by_request:  # a repeated delivery creates nothing
            return web.json_response(self._by_request[request_id].resource)
        key = (project, zone, body["name"])
        wrong = _check(body)
        if wrong:
            return _refuse(400, "invalid", wrong)
        if key in self.machines:
            return _refuse(409, "alreadyExists", f"The resource '{body['name']}' already exists")
        self.inserts.append({**body, "zone": zone})
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "quotaExceeded":
            return _refuse(403, fault, "Quota 'CPUS' exceeded.  Limit: 24.0 in region us-central1.")
        operation = self._operation(project, zone, "insert")
        if request_id:
            self._by_request[request_id] = operation
        if fault:
            operation.finish((fault, f"The zone '{zone}' does not have enough resources available."))
            return web.json_response(operation.resource)
        self._spawn(self._create(key, body, operation))
        return web.json_response(operation.resource)

    async def _create(self, key: Key, body: dict[str, Any], operation: Operation) -> None:
        number = next(self._addresses)
        # A network of its own for each stand-in: test processes run side by side on one loopback interface.
        address = f"127.{2 + os.getpid() % 250}.{number // 250}.{number % 250 + 1}"
        access = (
            [{"type": "ONE_TO_ONE_NAT", "natIP": address}] if body["networkInterfaces"][0].get("accessConfigs") else []
        )
        resource = {
            **body,
            "id": str(uuid.uuid4().int % 10**18),
            "status": "PROVISIONING",
            "zone": f"projects/{key[0]}/zones/{key[1]}",
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000-00:00", time.gmtime()),
            "networkInterfaces": [{"name": "nic0", "networkIP": address, "accessConfigs": access}],
        }
        machine = VirtualMachine(resource, address)
        self.machines[key] = machine
        await asyncio.sleep(self.boot_seconds)
        await machine.power_on()
        if key not in self.machines:  # taken away in the meantime
            await machine.power_off()
            operation.finish()
            return
        resource["status"] = "RUNNING"
        operation.finish()  # long before anybody can log in
        await asyncio.sleep(self.boot_seconds)
        await machine.boot()
        lifetime = body.get("scheduling", {}).get("maxRunDuration", {}).get("seconds")
        if lifetime:
            await asyncio.sleep(float(lifetime))
            await self.take_away(machine)

    async def get(self, request: web.Request) -> web.Response:
        machine = self._find(request)
        return _missing(request) if machine is None else web.json_response(machine.resource)

    async def delete(self, request: web.Request) -> web.Response:
        machine = self._find(request)
        if machine is None:
            return _missing(request)
        machine.resource["status"] = "STOPPING"
        operation = self._operation(request.match_info["project"], request.match_info["zone"], "delete")

        async def run() -> None:
            await self.take_away(machine)
            operation.finish()

        self._spawn(run())
        return web.json_response(operation.resource)

    async def guest_attributes(self, request: web.Request) -> web.Response:
        machine = self._find(request)
        if machine is None or not machine.host_keys:
            return _missing(request)
        items = [{"namespace": "hostkeys", "key": kind, "value": key} for kind, key in machine.host_keys]
        return web.json_response({"queryPath": "hostkeys/", "queryValue": {"items": items}})

    async def aggregated(self, request: web.Request) -> web.Response:
        wanted = dict(re.findall(r"labels\.([\w-]+)\s*=\s*\"?([\w-]+)\"?", request.query.get("filter", "")))
        items: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for (project, zone, _), machine in self.machines.items():
            labels = machine.resource.get("labels", {})
            if project == request.match_info["project"] and wanted.items() <= labels.items():
                items.setdefault(f"zones/{zone}", {"instances": []})["instances"].append(machine.resource)
        return web.json_response({"items": items})

    async def wait(self, request: web.Request) -> web.Response:
        operation = self._operations.get(request.match_info["name"])
        if operation is None:
            return _missing(request)
        await asyncio.wait([asyncio.ensure_future(operation.done.wait())], timeout=WAIT_SECONDS)
        return web.json_response(operation.resource)

    def _find(self, request: web.Request) -> VirtualMachine | None:
        place = request.match_info
        return self.machines.get((place["project"], place["zone"], place["name"]))

    def _operation(self, project: str, zone: str, kind: str) -> Operation:
        operation = Operation(project, zone, kind)
        self._operations[operation.name] = operation
        return operation

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _check(body: dict[str, Any]) -> str | None:
    if not re.fullmatch(NAME, body["name"]):
        return "Invalid value for field 'resource.name'"
    for key, value in body.get("labels", {}).items():
        if not re.fullmatch(LABEL_KEY, key) or not re.fullmatch(LABEL_VALUE, value):
            return f"Invalid label {key}={value}"
    return None


def _refuse(status: int, reason: str, message: str) -> web.Response:
    errors = [{"reason": reason, "message": message, "domain": "global"}]
    return web.json_response({"error": {"code": status, "message": message, "errors": errors}}, status=status)


def _missing(request: web.Request) -> web.Response:
    return _refuse(404, "notFound", f"The resource '{request.path}' was not found")
