"""Unpacks container images without an engine: `skopeo` fetches them from wherever they are, `umoci` applies their layers.

Everything in an unpacked image belongs to the user who unpacked it, because an ordinary user owns no other user ids. Its sandboxes
show that user as the one whom the image names.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from cooperbench.environments.local import store
from cooperbench.environments.local.places import make_places
from cooperbench.environments.local.sources import ImageIndex, ImageSource, RuntimeConfiguration
from cooperbench.environments.local.store import Container, LocalImageRecord
from cooperbench.errors import ImageError

PROGRAMS = ("skopeo", "umoci")
INSTALL = "sudo apt-get install skopeo umoci, or put both programs into a folder of your PATH"
OFFLINE = "log in: skopeo login; or bring a file of docker save: cooperbench images unpack FILE"
POLICIES = ("~/.config/containers/policy.json", "/etc/containers/policy.json")
"""The files from which skopeo learns whose signatures to trust. Without any of them it refuses to work."""


def missing_programs() -> list[str]:
    """Return which of the programs are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def unpack(source: ImageSource, name: str) -> LocalImageRecord:
    """Unpack an image under a name, unless the same one is there already. Raises `ImageError`.

    A download that was interrupted goes on with the layers that are still missing.
    """
    absent = missing_programs()
    if absent:
        raise ImageError(f"cannot unpack {name!r}: {absent[0]} is not installed", subject=name, hint=INSTALL)
    with store.building(name):
        layout = store.folder(name) / "download"
        _run("skopeo", *_policy(), "copy", "--quiet", source.reference, f"oci:{layout}:image", image=name)
        digest = ImageIndex.model_validate_json((layout / "index.json").read_bytes()).manifests[0].digest
        present = store.find(name)
        if present is None or present.record.digest != digest:
            _unpack_layout(layout, source, LocalImageRecord(name=name, digest=digest))
        shutil.rmtree(layout)
    found = store.find(name)
    assert found is not None
    return found.record


def _unpack_layout(layout: Path, source: ImageSource, record: LocalImageRecord) -> None:
    for left in store.folder(record.name).glob(".draft-*"):  # of a process that was killed
        store.discard(left)
    with store.new_version(record) as draft:
        bundle, root = draft / "bundle", draft / "root"
        _run("umoci", "unpack", "--rootless", "--image", f"{layout}:image", str(bundle), image=record.name)
        runtime = RuntimeConfiguration.model_validate_json((bundle / "config.json").read_bytes())
        (bundle / "rootfs").rename(root)
        shutil.rmtree(bundle)
        make_places(root)
        container = Container(
            source=source.reference,
            platform=runtime.platform,
            bytes=sum(_size(entry) for entry in root.rglob("*")),
            uid=runtime.process.user.uid,
            gid=runtime.process.user.gid,
        )
        env = dict(word.split("=", 1) for word in runtime.process.env if word != "TERM=xterm")
        store.describe(draft, record.model_copy(update={"env": env, "container": container}))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def _policy() -> list[str]:
    known = any(Path(path).expanduser().is_file() for path in POLICIES)
    return [] if known else ["--insecure-policy"]


def _run(*argv: str, image: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment)
    if done.returncode == 0:
        return done.stdout
    lines = done.stderr.strip().splitlines() or [f"{argv[0]} ended with exit code {done.returncode}"]
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', lines[-1])
    reason = found.group(1).replace('\\"', '"') if found else lines[-1]
    hint = OFFLINE if any("docker://" in word for word in argv) else None
    raise ImageError(f"cannot unpack {image!r}: {reason}", subject=image, hint=hint)
