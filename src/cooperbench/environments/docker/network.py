"""The networks that a container reaches: the internet or an allowlist, never the host's own networks or a cloud's metadata.

A container on the engine's default bridge may connect to the host, to whatever the host's networks hold, to other containers and,
in a cloud, to the metadata server, which hands out credentials. Routes inside the container's own network name space make all of
that unreachable, before anything runs in it. A second container, which shares only the network and has the capability
NET_ADMIN, adds them; the sandbox has neither that capability nor NET_RAW, with which it could send packets past its routes. So it
works without root on this machine, with engines elsewhere, and leaves nothing behind on the host.
See `docs/design/network.md` for what was rejected.
"""

import contextlib
import re
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from cooperbench.environments.contract import EnvironmentOptions, RunReply, SandboxHandle
from cooperbench.environments.docker.engine import DockerEngine, resolve, translated
from cooperbench.environments.docker.removal import removed_at_the_end
from cooperbench.errors import CapabilityError, SandboxError

SPECIAL = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
"""Networks that are not the internet (RFC 6890): private ones, those of carriers, link-local ones, multicast."""
METADATA = ("168.63.129.16", "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192")
"""Where clouds answer with credentials. The first one, Azure's, lies outside the networks above."""
EVERYTHING = ("0.0.0.0/1", "128.0.0.0/1")
EVERYTHING_6 = ("::/1", "8000::/1")
"""Two halves, which take precedence over the default route. IPv6 is closed: hardly an engine gives it to containers."""
RESOLVERS = ("1.1.1.1", "8.8.8.8")
"""Public name servers, for containers of which the engine sends the questions to a metadata server."""
LARGEST = 8
"""Bits. A shorter prefix on an interface of the host is a tunnel to everywhere, not a network of the host."""
FACTS = ["cat", "/proc/net/route", "/etc/resolv.conf", "/proc/net/if_inet6"]
"""What to run in a container to learn its routes and name servers."""


_ADDRESS = re.compile("[0-9A-F]{8}")


class ContainerNetwork(NamedTuple):
    """What a container sees of its network at first."""

    gateway: IPv4Address | None
    linked: tuple[IPv4Network, ...]
    """Networks that it reaches without a gateway."""
    name_servers: tuple[IPv4Address, ...]
    linked_6: tuple[IPv6Network, ...] = ()
    """The same with IPv6; empty where it is off."""

    @classmethod
    def parse(cls, facts: str) -> "ContainerNetwork":
        """Read the output of `FACTS`: proc(5) and resolv.conf(5)."""
        gateway, linked, servers, linked_6 = None, [], [], []
        for words in map(str.split, facts.splitlines()):
            if words[:1] == ["nameserver"] and len(words) > 1:
                with contextlib.suppress(ValueError):  # IPv6 is off
                    servers.append(IPv4Address(words[1]))
            elif len(words) == 6 and len(words[0]) == 32 and words[5] != "lo":
                linked_6.append(IPv6Network((int(words[0], 16), int(words[2], 16)), strict=False))
            elif len(words) >= 8 and all(map(_ADDRESS.fullmatch, (words[1], words[2], words[7]))):
                place, through, mask = (_address(words[column]) for column in (1, 2, 7))
                if int(mask) == 0:
                    gateway = through if int(through) else None
                elif not int(through):
                    linked.append(IPv4Network(f"{place}/{mask}"))
        return cls(gateway, tuple(linked), tuple(servers), tuple(linked_6))

    def route_to(self, address: IPv4Address) -> str | None:
        """Return the route to one address by the way that it has now; `None` when there is none."""
        hop = address if any(address in network for network in self.linked) else self.gateway
        return None if hop is None else f"{address}/32 {hop}"


def _address(text: str) -> IPv4Address:
    return IPv4Address(struct.pack("<L", int(text, 16)))


def routes(network: ContainerNetwork, own: Iterable[IPv4Network], allowed: Sequence[IPv4Address] | None) -> list[str]:
    """Return the routes to add, in this order. `own` are the host's networks, `allowed` the only addresses to reach, if given.

    Name servers in blocked networks stay reachable, for `allowed` is without names.
    """
    open_ones = network.name_servers if allowed is None else allowed
    passages = [network.route_to(address) for address in dict.fromkeys(open_ones) if str(address) not in METADATA]
    blocked = [IPv4Network(block) for block in (*SPECIAL, *METADATA)] if allowed is None else []
    closed = [*collapse_addresses([*blocked, *own])] if allowed is None else [IPv4Network(half) for half in EVERYTHING]
    near = [half for linked in network.linked if linked.prefixlen < 32 for half in linked.subnets()]
    return [route for route in passages if route is not None] + [
        str(block) for block in dict.fromkeys([*closed, *near])
    ]


def resolved(hosts: Sequence[str]) -> dict[str, list[IPv4Address]]:
    """Look up the addresses of allowed hosts. Raises `SandboxError` for an unknown name or one that leads to a metadata server."""
    found: dict[str, list[IPv4Address]] = {}
    for host in hosts:
        try:
            answers = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SandboxError(
                f"the allowed host {host!r} cannot be resolved: {error}", subject=host, hint="check --allow-host"
            ) from error
        found[host] = [IPv4Address(answer[4][0]) for answer in answers]
        for address in found[host]:
            if address.is_link_local or address.is_loopback or str(address) in METADATA:
                raise SandboxError(f"the allowed host {host!r} is {address}, which sandboxes never reach", subject=host)
    return found


def own_networks(host: str | None) -> list[IPv4Network]:
    """Return the networks of the machine that runs the engine at `host`, as far as they are known from here."""
    address = urlsplit(resolve(host)[0])
    if address.scheme != "unix":
        with contextlib.suppress(OSError):
            answers = socket.getaddrinfo(address.hostname, None, socket.AF_INET, socket.SOCK_STREAM)
            return [IPv4Network(answer[4][0]) for answer in answers]
        return []
    return _interfaces()


@cache
def _interfaces() -> list[IPv4Network]:
    import psutil

    found = []
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family == socket.AF_INET and each.netmask:
                network = IPv4Network(f"{each.address}/{each.netmask}", strict=False)
                found.append(network if network.prefixlen >= LARGEST else IPv4Network(each.address))
    return found


def options_of(options: EnvironmentOptions, hosts: Mapping[str, Sequence[IPv4Address]]) -> dict[str, Any]:
    """Return how to create a container with this network. Without raw sockets nothing passes the routes that are set in it."""
    if options.network == "none":
        return {"network_mode": "none"}
    names = {host: str(addresses[0]) for host, addresses in hosts.items() if host != str(addresses[0])}
    return {"cap_drop": ["NET_RAW"], "extra_hosts": names}


def keep_from_host(
    engine: DockerEngine, transport: "RootTransport", labels: dict[str, str], hosts: Mapping[str, Sequence[IPv4Address]]
) -> None:
    """Make the host's own networks unreachable from a running container, or everything but the allowed hosts.

    Raises `CapabilityError` where that is impossible, and the other classes below `SandboxError`.
    """
    handle = transport.handle()
    allowed = [address for addresses in hosts.values() for address in addresses]
    facts = transport.run(FACTS, timeout=60, user="0").stdout.decode("utf-8", "replace")
    if not facts.startswith("Iface"):
        raise SandboxError(f"the routes of the container cannot be read: {facts.strip()[:200]}", subject=handle.image)
    found = ContainerNetwork.parse(facts)
    own = own_networks(handle.details.get("host"))
    wanted = routes(found, own, allowed if handle.options.network == "allowlist" else None)
    add_routes(engine, handle.identifier, handle.image, labels, wanted)
    servers = {str(server) for server in found.name_servers}
    if servers and servers <= set(METADATA):
        lines = "".join(f"nameserver {server}\n" for server in RESOLVERS)
        transport.run(["tee", "/etc/resolv.conf"], stdin=lines.encode(), timeout=60, user="0")


class RootTransport(Protocol):
    """A transport that runs programs as any user."""

    def handle(self) -> SandboxHandle:
        """Return the handle."""
        ...

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float, user: str = "") -> RunReply:
        """Run a short argv."""
        ...


def add_routes(engine: DockerEngine, name: str, image: str, labels: dict[str, str], wanted: Sequence[str]) -> None:
    """Add routes to the network of the running container `name`. Raises `CapabilityError` where that is impossible."""
    script = files("cooperbench.environments").joinpath("inside/routes.sh").read_text(encoding="utf-8")
    api = engine.client.api
    helper = f"{name}-routes"
    with translated(name), removed_at_the_end(engine, helper):
        limits = api.create_host_config(
            network_mode=f"container:{name}", cap_drop=["ALL"], cap_add=["NET_ADMIN"], pids_limit=64
        )
        api.create_container(
            image, command=[script, "sh", *wanted], entrypoint=["sh", "-c"], user="0", name=helper, labels=labels,
            host_config=limits,
        )  # fmt: skip
        api.start(helper)
        code = api.wait(helper)["StatusCode"]
        said = api.logs(helper).decode("utf-8", "replace").strip() if code else ""
    if code:
        raise CapabilityError(
            f"cannot keep a sandbox of {image!r} from the networks of its host: {said or f'exit code {code}'}",
            subject=image,
            hint="use --network none, or an image with ip, Python or Perl",
        )
