"""Container images on a host without an engine: where they come from, and what their sandboxes are."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from cooperbench.environments import LocalEnvironment, orphans, remove, unpack_images
from cooperbench.environments.local import isolation
from cooperbench.errors import ImageError, SandboxError
from tests.command_line import cooperbench

BUSYBOX = Path("/bin/busybox")
PASSWD = b"root:x:0:0:root:/root:/bin/sh\ndev:x:1234:77:dev:/home/dev:/bin/sh\n"
CONFIG: dict[str, object] = {"User": "dev", "Env": ["PATH=/bin", "GREETING=a=b c"], "WorkingDir": "/home/dev"}


def layer(*members: tuple[str, bytes | str | None], hard: dict[str, str] | None = None, mode: int = 0o755) -> bytes:
    """Make a layer: bytes are a file, text is a link to it, and None is a folder. They belong to others."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.uid, member.gid, member.mode = 4321, 77, mode
            if content is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
        for name, target in (hard or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE, target
            archive.addfile(member)
    return out.getvalue()


def save(path: Path, images: dict[str | None, tuple[dict[str, object], list[bytes]]]) -> Path:
    """Write an archive as `docker save` does."""
    manifest = []
    with tarfile.open(path, "w") as archive:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

        written = set()
        for tag, (config, layers) in images.items():
            names = [f"{hashlib.sha256(each).hexdigest()}.tar" for each in layers]
            for name, content in zip(names, layers, strict=True):
                if name not in written:
                    add(name, content)
                    written.add(name)
            diffs = [f"sha256:{name.removesuffix('.tar')}" for name in names]
            text = json.dumps(
                {
                    "architecture": "amd64",
                    "os": "linux",
                    "config": config,
                    "rootfs": {"type": "layers", "diff_ids": diffs},
                }
            ).encode()
            called = f"{hashlib.sha256(text).hexdigest()}.json"
            if called not in written:
                add(called, text)
                written.add(called)
            manifest.append({"Config": called, "RepoTags": [tag] if tag else None, "Layers": names})
        add("manifest.json", json.dumps(manifest).encode())
    return path


@pytest.fixture(scope="module")
def base() -> bytes:
    return layer(
        ("bin", None),
        ("bin/busybox", BUSYBOX.read_bytes()),
        ("bin/sh", "busybox"),
        ("etc", None),
        ("etc/passwd", PASSWD),
        ("etc/hosts", "/etc/passwd"),
        ("opt", "/home"),
        ("home", None),
        ("home/dev", None),
        ("home/dev/gone", b"below"),
        ("home/dev/kept", b"kept"),
        ("home/dev/old", None),
        ("home/dev/old/inside", b"hidden"),
        hard={"home/dev/other-name": "home/dev/kept"},
    )


@pytest.fixture(scope="module")
def archive(base: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers with all that makes layers difficult, and a second image of the same base."""
    upper = layer(("home/dev/.wh.gone", b""), ("home/dev/old/.wh..wh..opq", b""), ("home/dev/old/new", b"new"))
    set_user_id = layer(("bin/as-root", b"#!/bin/sh\n"), mode=0o4755)
    path = tmp_path_factory.mktemp("archives") / "two.tar"
    return save(
        path,
        {
            "docker.io/library/unpacked-test:1": (CONFIG, [base, upper, set_user_id]),
            "localhost/unpacked-test/other:latest": ({"Env": ["PATH=/bin"]}, [base]),
        },
    )


@pytest.fixture(scope="module")
def images(archive: Path, cache: Path) -> list[str]:
    return [facts.name for facts in unpack_images("local", str(archive))]


pytestmark = [pytest.mark.needs("unpacking", "sandbox")]


def test_layers_users_and_variables_are_the_images(images: list[str]) -> None:
    assert images == ["unpacked-test:1", "unpacked-test/other:latest"]
    with LocalEnvironment("unpacked-test:1", cwd="/home/dev") as sandbox:
        said = sandbox.execute("busybox id; echo $HOME $GREETING; busybox ls; busybox ls old; busybox cat other-name")
        assert said["output"].splitlines() == [
            "uid=1234(dev) gid=77",
            "/home/dev a=b c",
            "kept",
            "old",
            "other-name",
            "new",
            "kept",
        ]
        assert sandbox.execute("busybox touch /bin/mine /etc/mine && busybox cat /etc/hosts")["output"].startswith(
            "127."
        )


def test_nothing_of_the_host_is_there_and_no_right_is_left(images: list[str], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with LocalEnvironment("unpacked-test/other", cwd="/") as sandbox:
        listed = sandbox.execute("busybox ls /; busybox ls /proc/1/root/")["output"].split()
        assert set(listed) == {"bin", "dev", "etc", "home", "opt", "proc", "run", "sys", "tmp"}
        assert sandbox.execute(f"busybox cat {tmp_path}/secret")["returncode"] == 1
        status = sandbox.execute("busybox grep -E 'Cap|NoNewPrivs' /proc/1/status /proc/self/status")["output"]
        assert {line.split()[-1] for line in status.splitlines()} == {"0" * 16, "1"}
        assert sandbox.execute("busybox chroot /proc/1/cwd true")["returncode"] != 0
        assert sandbox.execute("busybox id -u")["output"] == "0\n"


@pytest.mark.needs("unshare")
def test_unshare_does_what_bubblewrap_does(images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isolation.FORCE, "unshare")
    with LocalEnvironment("unpacked-test/other", cwd="/") as sandbox:
        assert sandbox.isolation == "unshare"
        assert sandbox.execute("busybox ls /; echo $PATH")["output"].split()[-1] == "/bin"
        status = sandbox.execute("busybox grep Cap /proc/1/status /proc/self/status")["output"]
        assert {line.split()[-1] for line in status.splitlines()} == {"0" * 16}
        assert sandbox.execute("busybox touch /bin/mine && echo ok >/dev/null")["returncode"] == 0


def test_without_isolation_it_is_refused(images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isolation.FORCE, "none")
    with pytest.raises(SandboxError, match="cannot run without isolation"):
        LocalEnvironment("unpacked-test:1", allow_unsandboxed=True)


def test_a_link_made_inside_leads_no_mount_of_a_snapshot_elsewhere(images: list[str], tmp_path: Path) -> None:
    with LocalEnvironment("unpacked-test/other", cwd="/") as sandbox:
        sandbox.execute(f"busybox rm -rf /run; busybox ln -s {tmp_path} /run")
        name = sandbox.snapshot()
    with LocalEnvironment(name, cwd="/") as sandbox:
        assert sandbox.execute("busybox test -d /run -a ! -L /run")["returncode"] == 0
    assert not list(tmp_path.iterdir())
    for orphan in orphans(backends=["local"]):
        if orphan.identifier == name:
            remove(orphan)


def test_an_image_is_unpacked_once_and_again_when_it_changed(base: bytes, tmp_path: Path, cache: Path) -> None:
    first = save(tmp_path / "first.tar", {"unpacked-test:changing": ({"Env": ["PATH=/bin"]}, [base])})
    [before], [again] = (unpack_images("local", str(first)) for _ in range(2))
    second = save(tmp_path / "second.tar", {None: ({"Env": ["PATH=/bin", "A=1"]}, [base])})
    [after] = unpack_images("local", str(second), "unpacked-test:changing")
    assert before == again
    assert before.digest != after.digest
    assert after.bytes
    with LocalEnvironment("unpacked-test:changing", cwd="/") as sandbox:
        assert sandbox.execute("echo $A")["output"] == "1\n"


def test_mistakes_are_one_line(archive: Path, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "text").write_text("not an archive")
    unknown = save(
        tmp_path / "unknown.tar", {"unpacked-test:nobody": ({"User": "nobody-here"}, [layer(("etc", None))])}
    )
    nameless = save(tmp_path / "nameless.tar", {None: ({}, [layer(("etc", None))])})
    for source, words in {
        str(tmp_path / "none.tar"): "neither a file of docker save nor an OCI layout",
        str(tmp_path / "text"): "cannot read",
        str(nameless): "has no name",
        str(unknown): "unable to find user nobody-here",
        f"docker-archive:{tmp_path}/none.tar": "has no name",
    }.items():
        said = cooperbench("images", "unpack", source)
        assert (said.code in (1, 2), words in said.err) == (True, True), said.err
        assert len(said.err.strip().splitlines()) <= 2
    two = cooperbench("images", "unpack", str(archive), "mine")
    assert "holds 2 images" in two.err


def test_what_is_missing_is_named(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match=r"skopeo is not installed .*apt-get install skopeo umoci"):
        unpack_images("local", str(archive))
