"""The places of a container image on which a sandbox mounts something of its own."""

from pathlib import Path

PLACES = ("proc", "dev", "sys", "tmp", "run", "etc", "opt/cooperbench/layers")
"""Folders on which a sandbox mounts something. No link of an image may lead a mount elsewhere."""
FILES = ("etc/hosts", "etc/resolv.conf")


def make_places(root: Path) -> None:
    """Make each place of an image on which something is mounted a folder or file of its own, where it is a link or missing."""
    for place in PLACES:
        path = root
        for part in Path(place).parts:
            path /= part
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                path.unlink()
            path.mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for place in FILES:
        path = root / place
        if path.is_symlink() or not path.is_file():
            path.unlink(missing_ok=True)
            path.touch()
