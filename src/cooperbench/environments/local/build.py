"""Builds local images: the repository at its base commit and nothing later, and a Python environment copied from this one."""

import hashlib
import os
import re
import shutil
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from cooperbench._git import Git
from cooperbench._installation import install_command
from cooperbench.environments.local import store
from cooperbench.environments.local.store import LocalImageRecord
from cooperbench.environments.local.view import WRITABLE, interpreter
from cooperbench.errors import ImageError
from cooperbench.records import ImageRecipe

GIT_CONFIGURATION = "[user]\n\tname = agent\n\temail = agent@localhost\n[init]\n\tdefaultBranch = main\n"
"""An identity, so that agents can commit without configuring one."""

_GIT = Git(ImageError)

LAYOUT = "4"
"""Part of every digest: a change of what this module builds is a new image."""

SCRIPT = """#!/bin/sh
'''exec' "$(dirname "$0")/python3" "$0" "$@"
'''
import sys
from {module} import {attribute}
sys.exit({call}())
"""
"""A console script that finds its interpreter beside itself, wherever the image is mounted."""


def key_of(recipe: ImageRecipe, source: Path) -> str:
    """Return the digest of everything that an image of this recipe is built from."""
    digest = hashlib.sha256(LAYOUT.encode())
    for part in (recipe.base_commit or "", recipe.setup or "", str(interpreter())):
        digest.update(part.encode() + b"\0")
    if source.is_file():
        digest.update(source.read_bytes())
    else:
        commit = recipe.base_commit or "HEAD"
        _GIT.require_commit(source, commit)
        digest.update(_GIT.run("rev-parse", "--verify", f"{commit}^{{commit}}", cwd=source).text.encode())
    for name in closure(recipe.host_packages, recipe.name):
        digest.update(f"{name}=={metadata.version(name)}\0".encode())
    return "sha256:" + digest.hexdigest()


def build(recipe: ImageRecipe, source: Path) -> LocalImageRecord:
    """Build the image from a git bundle, a `git fast-export` stream or a local clone, unless it is current.

    Raises `ImageError`, also for a recipe with setup commands: these tools come from this installation only.
    """
    if recipe.setup is not None:
        raise ImageError(
            f"{recipe.name!r} has setup commands, which this build does not run",
            subject=recipe.name,
            hint="use --backend docker, or name Python packages in host_packages",
        )
    with store.building(recipe.name):
        record = LocalImageRecord(name=recipe.name, digest=key_of(recipe, source))
        present = store.find(recipe.name)
        if present is not None and present.record.digest == record.digest:
            return present.record
        with store.new_version(record) as draft:
            for name in WRITABLE:
                (draft / "root" / name).mkdir(parents=True)
            home = draft / "root" / "home" / "agent"
            home.mkdir()
            (home / ".gitconfig").write_text(GIT_CONFIGURATION, encoding="utf-8")
            make_repository(recipe, source, draft / "root" / "workspace" / "repo")
            make_tools(recipe, draft / "opt")
    return record


def make_repository(recipe: ImageRecipe, source: Path, target: Path) -> None:
    """Make a repository with the base commit and its ancestors, checked out on `main`."""
    with tempfile.TemporaryDirectory(prefix="cooperbench-") as scratch:
        if source.is_file():
            origin = Path(scratch) / "origin.git"
            _GIT.run("init", "--quiet", "--bare", origin)
            _unpack(source, origin)
        else:
            origin = source
        pack = Path(scratch) / "base.pack"
        commit = recipe.base_commit or _tip(origin)
        with _history_of(source, commit):
            base = _pack(origin, commit, pack)
        _GIT.run("init", "--quiet", target)
        with pack.open("rb") as stream:
            _GIT.run("index-pack", "--stdin", cwd=target, stdin=stream)
        _GIT.run("update-ref", "refs/heads/main", base, cwd=target)
        _GIT.run("reset", "--quiet", "--hard", "main", cwd=target)
        (target / ".git" / "info").mkdir(exist_ok=True)


@contextmanager
def _history_of(source: Path, commit: str) -> Iterator[None]:
    """Name the remedy where git fails in a clone that lacks the commit, or an object that it reaches."""
    try:
        yield
    except ImageError as error:
        raise ImageError(
            f"{source} does not hold the whole history of {commit}: {error.message}",
            subject=str(source),
            hint="run git fetch --unshallow or git fetch --refetch in it",
        ) from error


def _pack(origin: Path, commit: str, pack: Path) -> str:
    """Pack a commit and what it reaches, so that nothing later can be in the object database, and return its id."""
    base = _GIT.run("rev-parse", "--verify", f"{commit}^{{commit}}", cwd=origin).text
    with pack.open("wb") as out:
        _GIT.run("pack-objects", "--revs", "--stdout", "-q", cwd=origin, stdin=base.encode(), stdout=out)
    return base


def _unpack(source: Path, target: Path) -> None:
    with source.open("rb", buffering=0) as stream:  # git reads on from the position of this file object
        if stream.read(4) == b"# v2":
            _GIT.run("fetch", "--quiet", source.resolve(), "refs/heads/*:refs/heads/*", cwd=target)
            return
        stream.seek(0)
        _GIT.run("fast-import", "--quiet", cwd=target, stdin=stream)


def make_tools(recipe: ImageRecipe, target: Path) -> None:
    """Make a virtual environment without pip, with the named packages of this installation and their dependencies."""
    names = closure(recipe.host_packages, recipe.name)
    if not names:
        return
    place = target / "venv"
    venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
    for link in (place / "bin").iterdir():  # a venv made from a venv points to that one, which a sandbox does not see
        if link.is_symlink() and link.readlink().is_absolute():
            link.unlink()
            link.symlink_to(interpreter())
    (place / "pyvenv.cfg").write_text(
        f"home = {interpreter().parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    site = next((place / "lib").glob("python*/site-packages"))
    for name in names:
        _copy_distribution(metadata.distribution(name), site, place / "bin")


def closure(names: tuple[str, ...], image: str) -> list[str]:
    """Return the named distributions and their installed dependencies. Raises `ImageError` when a named one is missing."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if _normal(name) in found:
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            if name in names:
                raise ImageError(
                    f"the image {image!r} needs the Python package {name!r}, which is not installed",
                    subject=name,
                    hint=install_command("demo"),
                ) from None
            continue  # for another platform or Python version
        found[_normal(name)] = None
        for need in needs:
            requirement, _, marker = need.partition(";")
            match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
            if match and "extra" not in marker:
                waiting.append(match.group())
    return sorted(found)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _copy_distribution(distribution: metadata.Distribution, site: Path, scripts: Path) -> None:
    files = distribution.files
    if files is None:
        raise ImageError(f"the package {distribution.name!r} was installed without a list of its files")
    for file in files:
        if ".." in file.parts or "__pycache__" in file.parts or file.is_absolute():
            continue
        source = Path(str(file.locate()))
        # Packages that ship others' (Ray does) leave their tests out, and not the list of their files.
        if source.is_file():
            _copy(source, site / file)
    for point in distribution.entry_points:
        if point.group == "console_scripts":
            script = scripts / point.name
            attribute = point.attr.split(".")[0]
            script.write_text(
                SCRIPT.format(module=point.module, attribute=attribute, call=point.attr), encoding="utf-8"
            )
            script.chmod(0o755)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, and its byte code if there is any: sandboxes cannot write it, and without it `import pytest` takes 0.37 s instead of 0.1 s."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    if source.suffix == ".py":
        os.utime(target, ns=(0, source.stat().st_mtime_ns))  # byte code is valid for a source of that time
        compiled = Path(cache_from_source(str(target)))
        compiled.parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(cache_from_source(str(source)), compiled)


def _tip(origin: Path) -> str:
    """Return the commit that a stream ends with: its HEAD, or its only branch."""
    head = _GIT.run("rev-parse", "--verify", "--quiet", "HEAD", cwd=origin, check=False)
    if head.code == 0:
        return head.text
    branches = _GIT.run("for-each-ref", "--format=%(objectname)", "refs/heads", cwd=origin).text.split()
    if len(branches) != 1:
        raise ImageError(
            f"the repository has {len(branches)} branches, and the recipe does not name a base commit",
            subject=str(origin),
        )
    return branches[0]
