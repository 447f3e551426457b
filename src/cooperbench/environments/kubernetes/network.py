"""What a pod reaches: a NetworkPolicy for each kind of network, made before the first pod that it selects.

Sandboxes with the same network share one policy, which is named by its content. So a pod is never without it, a run of thousands of
sandboxes makes one object, and nothing has to be removed after each. Clusters whose network plugin ignores policies accept
them all the same: so each pod tries to reach the API server, which no sandbox may.
"""

import hashlib
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cooperbench.environments.contract import EnvironmentOptions
from cooperbench.environments.docker.network import METADATA, SPECIAL, resolved
from cooperbench.environments.kubernetes.names import MARK, NETWORK
from cooperbench.errors import SandboxError

if TYPE_CHECKING:
    from lightkube.resources.networking_v1 import NetworkPolicy

    from cooperbench.environments.kubernetes.client import Cluster

NAME_SERVERS = ("kube-system", "openshift-dns")
"""Namespaces of a cluster's name servers."""
LOCAL_NAME_SERVER = "169.254.20.10/32"
"""Where NodeLocal DNSCache answers."""


@dataclass(frozen=True)
class PodNetwork:
    """The network of a sandbox: its policy, and the names of allowed hosts by their address."""

    name: str
    rules: str
    """The policy's egress rules, as JSON."""
    hosts: Mapping[str, tuple[str, ...]]


def network_of(options: EnvironmentOptions, server: str) -> PodNetwork:
    """Return the network that a sandbox gets in the cluster of an API server. Raises `SandboxError` for an unknown host."""
    mode = "full" if options.network == "default" else options.network
    hosts: dict[str, tuple[str, ...]] = {}
    if mode == "none":
        rules: list[dict[str, Any]] = []
    elif mode == "allowlist":
        found = resolved(options.allowed_hosts)
        for host, addresses in found.items():
            if host != str(addresses[0]):
                hosts[str(addresses[0])] = (*hosts.get(str(addresses[0]), ()), host)
        allowed = sorted({str(address) for addresses in found.values() for address in addresses})
        rules = [{"to": [{"ipBlock": {"cidr": f"{address}/32"}} for address in allowed]}]
    else:
        rules = [_internet(server), _name_servers()]
    text = json.dumps(rules, sort_keys=True)
    return PodNetwork(f"{MARK}-{mode}-{hashlib.sha256(text.encode()).hexdigest()[:12]}", text, hosts)


def _internet(server: str) -> dict[str, Any]:
    """Allow the internet: neither private networks nor a cloud's metadata server nor the cluster's own API server."""
    blocked = [IPv4Network(block) for block in (*SPECIAL, *METADATA)] + list(_addresses(server))
    closed = [str(block) for block in collapse_addresses(blocked)]
    return {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": closed}}]}


def _addresses(server: str) -> Iterable[IPv4Network]:
    try:
        answers = socket.getaddrinfo(urlsplit(server).hostname, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [IPv4Network(answer[4][0]) for answer in answers]


def _name_servers() -> dict[str, Any]:
    places: list[dict[str, Any]] = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}} for name in NAME_SERVERS
    ]
    ports = [{"protocol": protocol, "port": port} for protocol in ("UDP", "TCP") for port in (53, 5353)]
    return {"to": [*places, {"ipBlock": {"cidr": LOCAL_NAME_SERVER}}], "ports": ports}


def policy(network: PodNetwork, namespace: str) -> "NetworkPolicy":
    """Return the policy of a network. Nothing reaches a sandbox from outside, whatever it reaches itself."""
    from lightkube.resources.networking_v1 import NetworkPolicy

    body = {
        "metadata": {"name": network.name, "namespace": namespace, "labels": {MARK: "network"}},
        "spec": {
            "podSelector": {"matchLabels": {NETWORK: network.name}},
            "policyTypes": ["Ingress", "Egress"],
            "egress": json.loads(network.rules),
        },
    }
    made: NetworkPolicy = NetworkPolicy.from_dict(body)
    return made


def ensure_policy(cluster: "Cluster", network: PodNetwork, namespace: str) -> None:
    """Make the policy of a network unless the namespace has it. Raises the classes below `SandboxError`."""
    from lightkube.resources.networking_v1 import NetworkPolicy

    if cluster.find(NetworkPolicy, network.name, namespace) is not None:
        return
    try:
        cluster.create(policy(network, namespace))
    except SandboxError:
        if cluster.find(NetworkPolicy, network.name, namespace) is None:  # else another process was faster
            raise
