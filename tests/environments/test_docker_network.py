"""What a container reaches: addresses that stand for the host's networks, other containers and the metadata of clouds."""

import socketserver
import subprocess
import threading
from collections.abc import Iterator
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network

import pytest

from cooperbench.environments import DockerEnvironment, EnvironmentOptions, SandboxLabels, open_environment, orphans
from cooperbench.environments.docker.engine import connect
from cooperbench.environments.docker.network import METADATA, ContainerNetwork, routes
from cooperbench.errors import SandboxError

SANDBOX = "cooperbench-test/sandbox"
BUSYBOX = "cooperbench-test/busybox"
BRIDGED = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010011AC 0003 0 0 0 00000000 0 0 0
eth0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0
search example.test
nameserver 192.168.1.1
nameserver 1.1.1.1
nameserver fe80::1
"""
TRY = """python3 -c 'import socket, sys
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 5).close()
        print(place, "reached")
    except OSError as error:
        print(place, error.strerror)' """


def last_match(added: list[str], address: str) -> str:
    """Return the route of an address as the kernel chooses it: the longest prefix."""
    fitting = [route for route in added if IPv4Address(address) in IPv4Network(route.split()[0])]
    return max(fitting, key=lambda route: IPv4Network(route.split()[0]).prefixlen, default="default")


@pytest.mark.parametrize(
    "address",
    [
        *METADATA, "172.17.0.1", "172.17.0.2", "172.17.255.254", "10.1.2.3", "192.168.1.2", "100.64.0.1", "203.0.113.7",
        "127.0.0.53", "224.0.0.251", "255.255.255.255",
    ],
)  # fmt: skip
def test_what_is_not_the_internet_is_unreachable(address: str) -> None:
    added = routes(ContainerNetwork.parse(BRIDGED), [IPv4Network("203.0.113.0/24")], None)
    assert " " not in last_match(added, address)
    assert last_match(added, address) != "default"


def test_the_internet_and_name_servers_stay() -> None:
    added = routes(ContainerNetwork.parse(BRIDGED), [], None)
    assert [last_match(added, each) for each in ("8.8.8.8", "151.101.0.1")] == ["default", "default"]
    assert last_match(added, "192.168.1.1") == "192.168.1.1/32 172.17.0.1"
    near = BRIDGED.replace("192.168.1.1", "172.17.0.9")
    assert last_match(routes(ContainerNetwork.parse(near), [], None), "172.17.0.9") == "172.17.0.9/32 172.17.0.9"


@pytest.mark.parametrize("server", METADATA)
def test_a_metadata_server_is_not_asked_for_names(server: str) -> None:
    added = routes(ContainerNetwork.parse(BRIDGED.replace("192.168.1.1", server)), [], None)
    assert " " not in last_match(added, server)


def test_an_allowlist_leaves_nothing_else() -> None:
    added = routes(ContainerNetwork.parse(BRIDGED), [], [IPv4Address("151.101.0.1")])
    assert last_match(added, "151.101.0.1") == "151.101.0.1/32 172.17.0.1"
    for address in ("8.8.8.8", "1.1.1.1", "192.168.1.1", "172.17.0.1", *METADATA):
        assert " " not in last_match(added, address)


class _HangUp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.close()


@pytest.fixture
def service() -> Iterator[int]:
    """A service of this host, on all of its addresses; returns the port."""
    with socketserver.ThreadingTCPServer(("0.0.0.0", 0), _HangUp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def host_addresses() -> list[str]:
    return subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
@pytest.mark.needs("docker")
def test_a_sandbox_does_not_reach_the_host_or_its_neighbours(service: int) -> None:
    mine = [address for address in host_addresses() if ":" not in address]
    gateway = str(connect(None).client.networks.get("bridge").attrs["IPAM"]["Config"][0].get("Gateway", "172.17.0.1"))
    with DockerEnvironment(BUSYBOX, cwd="/") as neighbour, DockerEnvironment(SANDBOX, cwd="/") as env:
        assert "tcp" in neighbour.execute("nc -l -p 80 -e cat & sleep 0.3; netstat -tln")["output"]
        other = neighbour.execute("hostname -i")["output"].strip()
        places = [*(f"{address}:{service}" for address in {*mine, gateway}), f"{other}:80"]
        places += [f"{address}:80" for address in METADATA]
        tried = env.execute(TRY + " ".join(places))["output"].splitlines()
        assert [line.split(" ", 1) for line in tried] == [[place, "No route to host"] for place in places]
        assert env.execute("python3 -c 'import socket; socket.socket(17, 3)'")["returncode"] == 1  # no raw packets
        undone = "python3 -c 'import fcntl, socket; fcntl.ioctl(socket.socket(), 0x890C, bytes(120))'"
        assert "Operation not permitted" in env.execute(undone)["output"]
        assert env.execute("ping -c 1 127.0.0.1 2>&1 || true")["returncode"] == 0


@pytest.mark.slow
@pytest.mark.needs("docker")
@pytest.mark.parametrize("image", [SANDBOX, BUSYBOX])
def test_an_allowlist_in_a_container(image: str, service: int) -> None:
    [mine, *_] = (address for address in host_addresses() if ":" not in address)
    with DockerEnvironment(image, cwd="/", network="allowlist", allowed_hosts=(mine,)) as env:
        table = env.execute("cat /proc/net/route")["output"]
        assert ContainerNetwork.parse(table).gateway is not None
        if image == SANDBOX:
            tried = env.execute(f"{TRY} {mine}:{service} 1.1.1.1:80 169.254.169.254:80")["output"]
            assert tried.splitlines() == [
                f"{mine}:{service} reached", "1.1.1.1:80 No route to host", "169.254.169.254:80 No route to host",
            ]  # fmt: skip
        else:
            assert env.execute(f"nc -w 5 {mine} {service} </dev/null")["returncode"] == 0
            assert env.execute("nc -w 5 1.1.1.1 80 </dev/null")["returncode"] != 0


@pytest.mark.needs("docker")
def test_a_name_that_cannot_be_resolved_starts_nothing() -> None:
    with pytest.raises(SandboxError, match=r"'nowhere\.invalid' cannot be resolved"):
        DockerEnvironment(BUSYBOX, cwd="/", network="allowlist", allowed_hosts=("nowhere.invalid",))


@pytest.mark.needs("docker")
@pytest.mark.parametrize(("image", "program"), [(BUSYBOX, "ip"), (SANDBOX, "python3"), (SANDBOX, "perl")])
def test_routes_are_added_with_what_an_image_has(image: str, program: str) -> None:
    script = files("cooperbench.environments").joinpath("inside/routes.sh").read_text()
    only = f'command() {{ [ "$2" = {program} ]; }}\n'
    wanted = ["192.0.2.77/32 172.17.0.1", "10.0.0.0/8", "192.0.0.192/32", "0.0.0.0/1", "::/1", "fe80:0:0:0:8000::/65"]
    arguments = ["--cap-add", "NET_ADMIN", "--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--entrypoint", "sh", image]
    shown = "cat /proc/net/route /proc/net/ipv6_route"
    line = ["docker", "run", "--rm", *arguments, "-c", f"{only}( {script} ) && {shown}", "sh", *wanted]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    rejected = {tuple(words[1:4:2]) for words in map(str.split, done.stdout.splitlines()) if words[:1] == ["*"]}
    assert {("0000000A", "0201"), ("C00000C0", "0205"), ("00000000", "0201")} <= rejected
    assert "eth0\t4D0200C0\t010011AC\t0007" in done.stdout
    for place in ("0" * 32 + " 01 ", "fe80" + "0" * 12 + "8000" + "0" * 12 + " 41 "):
        assert [line for line in done.stdout.splitlines() if line.startswith(place) and line.endswith(" lo")]


@pytest.mark.needs("docker")
def test_nothing_is_left_of_the_container_that_adds_routes() -> None:
    labels = SandboxLabels(run="routes-test")
    with open_environment("docker", BUSYBOX, options=EnvironmentOptions(cwd="/"), labels=labels):
        assert len(orphans("routes-test", backends=["docker"])) == 1
    assert orphans("routes-test", backends=["docker"]) == []
