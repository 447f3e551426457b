"""The script that gives Go its build cache, with a `go` that only says where its cache is and which version it has."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.evaluation.suites import REPORTER

OLDER = {"README": b"a cache", "00/first-d": b"old", "trim.txt": b"1"}


class Cache:
    """A cache in a folder, and the script's files in another."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.place = root / "go-build"
        self.archive = root / root.name / "cache.tar.gz"
        self.work = root / "work"
        for folder in (self.place, self.archive.parent, self.work, root / "bin"):
            folder.mkdir(parents=True)
        self.go(f'case $2 in GOCACHE) echo "${{GOCACHE:-{self.place}}}" ;; GOVERSION) echo go1.19.8 ;; esac')

    def go(self, script: str) -> None:
        """Say what `go` does."""
        (self.root / "bin/go").write_text(f"#!/bin/sh\n{script}\n")
        (self.root / "bin/go").chmod(0o755)

    def write(self, files: dict[str, bytes]) -> None:
        """Write files into the cache."""
        for name, data in files.items():
            (self.place / name).parent.mkdir(parents=True, exist_ok=True)
            (self.place / name).write_bytes(data)

    def run(self, lines: str) -> str:
        """Run functions of the script as a suite does, in the work folder."""
        script = f"set -e\n. {REPORTER}/go/cache.sh\narchive={self.archive} list={self.root}/list\n{lines}"
        path = f"{self.root}/bin:{os.environ['PATH']}"
        done = subprocess.run(["sh", "-c", script], cwd=self.work, env={"PATH": path}, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def pack(self, added: dict[str, bytes]) -> list[str]:
        """Begin, compile, pack, and return the names in the archive."""
        self.run("begin_cache $archive $list")
        self.write(added)
        self.run("pack_cache $archive $list 100000000")
        with tarfile.open(self.archive) as archive:
            return archive.getnames()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(tmp_path)
    yield cache
    shutil.rmtree(Path("/dev/shm") / cache.archive.parent.name, ignore_errors=True)


def test_a_small_cache_is_given_whole_in_memory(cache: Cache) -> None:
    cache.write(OLDER)
    names = cache.pack({"01/second-d": b"new"})
    assert names[0] == "./README"
    assert {"./00/first-d", "./01/second-d"} <= set(names)
    shutil.rmtree(cache.place)
    place = Path(cache.run('give_cache $archive; echo "$GOCACHE"').strip())
    assert place == Path("/dev/shm") / cache.archive.parent.name
    assert (place / "00/first-d").read_bytes() == b"old"
    assert (place / "01/second-d").read_bytes() == b"new"
    assert int((place / "trim.txt").read_text()) > 1_700_000_000
    assert not cache.place.exists()


def test_of_a_large_cache_what_was_added_is_given_in_its_place(cache: Cache) -> None:
    cache.write({**OLDER, "02/large-d": os.urandom(1024) * 26_000})
    assert cache.pack({"01/second-d": b"new"}) == ["./01/second-d"]
    cache.write({"01/second-d": b"of the image"})
    assert cache.run('give_cache $archive; echo "$GOCACHE"') == "\n"
    assert (cache.place / "01/second-d").read_bytes() == b"of the image"
    (cache.place / "01/second-d").unlink()
    cache.run("give_cache $archive")
    assert (cache.place / "01/second-d").read_bytes() == b"new"


def test_without_go_nothing_is_packed_or_written(cache: Cache) -> None:
    cache.write(OLDER)
    cache.pack({})
    cache.go("exit 1")
    (cache.root / "list").unlink()
    cache.archive.unlink()
    cache.run("give_cache $archive; begin_cache $archive $list; pack_cache $archive $list 100000000 || true")
    assert list(cache.work.iterdir()) == []
    assert not cache.archive.exists()
