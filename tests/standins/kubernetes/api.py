"""The part of the Kubernetes API that the backend calls. It answers as API servers do: a Status, `application/json` without a charset."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.standins.kubernetes.exec import answer
from tests.standins.kubernetes.kubelet import Kubelet, RunningPod

CORE = "/api/v1/namespaces/{namespace}/pods"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """An answer in place of the right one."""

    code: int
    reason: str
    message: str
    retry_after: int | None = None
    lost: bool = False
    """Do what was asked for, and answer with this."""


def status(code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return reply(body, code, headers)


def reply(body: dict[str, Any], code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=code, content_type="application/json", headers=headers)


class Api:
    """The objects of a cluster, and its answers."""

    def __init__(self, token: str, namespaces: set[str], registry: str) -> None:
        self.token = token
        self.namespaces = namespaces
        self.pods: dict[tuple[str, str], RunningPod] = {}
        self.policies: dict[tuple[str, str], dict[str, Any]] = {}
        self.enforces_policies = True
        self.forbidden: set[str] = set()
        """Rights that the user lacks, such as `create pods/exec`."""
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        """Answers of the next calls, by `<verb> <resource>`."""
        self.calls: list[str] = []
        self.unwritten: list[str] = []
        self.creating = 0
        """Creations whose request has come whole, whether or not they are done."""
        self.created = 0
        self.create_seconds = 0.0
        """What a creation takes, whether its client waits for it or not."""
        self.protocols = ("v5.channel.k8s.io", "v4.channel.k8s.io")
        self.service = ""
        self.kubelet = Kubelet(registry, self._isolated)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 26)
        routes = [
            web.post(CORE, self._guarded("create pods", self._create_pod)),
            web.get(CORE, self._guarded("list pods", self._list_pods)),
            web.get(f"{CORE}/{{name}}", self._guarded("get pods", self._get_pod)),
            web.delete(f"{CORE}/{{name}}", self._guarded("delete pods", self._delete_pod)),
            web.get(f"{CORE}/{{name}}/exec", self._guarded("create pods/exec", self._exec)),
            web.post(POLICIES, self._guarded("create networkpolicies", self._create_policy)),
            web.get(f"{POLICIES}/{{name}}", self._guarded("get networkpolicies", self._get_policy)),
            web.post(REVIEWS, self._guarded("create selfsubjectaccessreviews", self._review)),
            web.route("*", "/{path:.*}", self._unwritten),
        ]
        application.add_routes(routes)
        return application

    def _guarded(self, call: str, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls.append(call)
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                return status(401, "Unauthorized", "Unauthorized")
            verb, _, resource = call.partition(" ")
            place = request.match_info.get("namespace", "")
            if call in self.forbidden:
                said = f'{resource} is forbidden: User "student" cannot {verb} resource "{resource}" in API group "" in the namespace "{place}"'
                return status(403, "Forbidden", said)
            if self.faults[call]:
                fault = self.faults[call].pop(0)
                if fault.lost:
                    await handler(request)
                headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else None
                return status(fault.code, fault.reason, fault.message, headers)
            if verb == "create" and place and place not in self.namespaces and resource != "pods/exec":
                return status(404, "NotFound", f'namespaces "{place}" not found')
            return await handler(request)

        return guarded

    async def _create_pod(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        self.creating += 1
        await asyncio.sleep(self.create_seconds)
        self.created += 1
        key = (request.match_info["namespace"], body["metadata"]["name"])
        if key in self.pods:
            return status(409, "AlreadyExists", f'pods "{key[1]}" already exists')
        if request.query.get("dryRun") != "All":
            self.pods[key] = self.kubelet.take(body)
        return reply(body, 201)

    async def _list_pods(self, request: web.Request) -> web.Response:
        pairs = (word.partition("=") for word in request.query.get("labelSelector", "").split(",") if word)
        wanted = {key: value.lstrip("=") for key, _, value in pairs}
        items = [
            pod.body
            for (namespace, _), pod in self.pods.items()
            if namespace == request.match_info["namespace"] and wanted.items() <= pod.body["metadata"]["labels"].items()
        ]
        return reply({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})

    def find(self, request: web.Request) -> RunningPod | None:
        return self.pods.get((request.match_info["namespace"], request.match_info["name"]))

    async def _get_pod(self, request: web.Request) -> web.Response:
        pod = self.find(request)
        return self._missing(request) if pod is None else reply(pod.body)

    def _missing(self, request: web.Request) -> web.Response:
        return status(404, "NotFound", f'pods "{request.match_info["name"]}" not found')

    async def _delete_pod(self, request: web.Request) -> web.Response:
        pod = self.pods.pop((request.match_info["namespace"], request.match_info["name"]), None)
        if pod is None:
            return self._missing(request)
        await self.kubelet.end(pod)
        return reply(pod.body)

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        pod = self.find(request)
        if pod is None:
            return self._missing(request)
        sandbox = pod.behind(request.query["container"])
        if sandbox is None:
            return status(500, "InternalError", f"cannot exec into a container in a {pod.status['phase']} pod")
        return await answer(request, pod, sandbox, self.protocols, self.service)

    async def _create_policy(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        key = (request.match_info["namespace"], body["metadata"]["name"])
        if key in self.policies:
            return status(409, "AlreadyExists", f'networkpolicies "{key[1]}" already exists')
        self.policies[key] = body
        return reply(body, 201)

    async def _get_policy(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        found = self.policies.get((request.match_info["namespace"], name))
        return status(404, "NotFound", f'networkpolicies "{name}" not found') if found is None else reply(found)

    async def _review(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        wanted = body["spec"]["resourceAttributes"]
        resource = "/".join(word for word in (wanted["resource"], wanted.get("subresource")) if word)
        return reply({**body, "status": {"allowed": f"{wanted['verb']} {resource}" not in self.forbidden}}, 201)

    async def _unwritten(self, request: web.Request) -> web.Response:
        self.unwritten.append(f"{request.method} {request.path}")
        return status(404, "NotFound", "the server could not find the requested resource")

    def _isolated(self, body: dict[str, Any]) -> bool:
        """Whether a policy selects a pod, and this cluster cares."""
        labels = body["metadata"]["labels"]
        selected = (policy["spec"]["podSelector"]["matchLabels"].items() for policy in self.policies.values())
        return self.enforces_policies and any(wanted <= labels.items() for wanted in selected)
