"""Making local images: the repository at its base commit and nothing later, and a Python environment taken from this one."""

import hashlib
import os
import re
import subprocess
import tempfile
import venv
from importlib import metadata
from pathlib import Path

from cooperbench.environments.local import isolation, store
from cooperbench.environments.local.store import LocalImageRecord
from cooperbench.errors import ImageError
from cooperbench.records import ImageRecipe

GIT_CONFIGURATION = "[user]\n\tname = agent\n\temail = agent@localhost\n[init]\n\tdefaultBranch = main\n"
"""An identity, so that agents can commit without being asked who they are."""

LAYOUT = "3"
"""Part of every digest: a change of what this module makes is a new image."""

SCRIPT = """#!/bin/sh
'''exec' "$(dirname "$0")/python3" "$0" "$@"
'''
import sys
from {module} import {attribute}
sys.exit({call}())
"""
"""A console script that finds its interpreter beside itself, wherever the image is mounted."""


def key_of(recipe: ImageRecipe, source: Path) -> str:
    """Digest of what an image of this recipe is made from."""
    digest = hashlib.sha256(LAYOUT.encode())
    for part in (recipe.base_commit or "", recipe.setup or "", str(isolation.interpreter())):
        digest.update(part.encode() + b"\0")
    if source.is_file():
        digest.update(source.read_bytes())
    else:
        digest.update(git(source, "rev-parse", f"{recipe.base_commit or 'HEAD'}^{{commit}}").encode())
    for name in closure(recipe.host_packages, recipe.name):
        digest.update(f"{name}=={metadata.version(name)}\0".encode())
    return "sha256:" + digest.hexdigest()


def build(recipe: ImageRecipe, source: Path) -> LocalImageRecord:
    """Make the image from a git bundle, a `git fast-export` stream or a local clone; does nothing when it is there already.

    Raises `ImageError`, also for a recipe with set-up commands: the tools of a local image come from this installation only.
    """
    if recipe.setup is not None:
        raise ImageError(
            f"{recipe.name!r} installs its tools by commands, which local images do not run",
            subject=recipe.name,
            hint="use --backend docker, or name Python packages in host_packages",
        )
    with store.building(recipe.name):
        record = LocalImageRecord(name=recipe.name, digest=key_of(recipe, source))
        present = store.find(recipe.name)
        if present is not None and present.record.digest == record.digest:
            return present.record
        with store.new_version(record) as draft:
            for name in isolation.WRITABLE:
                (draft / "root" / name).mkdir(parents=True)
            home = draft / "root" / "home" / "agent"
            home.mkdir()
            (home / ".gitconfig").write_text(GIT_CONFIGURATION, encoding="utf-8")
            make_repository(recipe, source, draft / "root" / "workspace" / "repo")
            make_tools(recipe, draft / "opt")
    return record


def make_repository(recipe: ImageRecipe, source: Path, target: Path) -> None:
    """A repository that knows the base commit and what is before it, checked out on `main`."""
    with tempfile.TemporaryDirectory(prefix="cooperbench-") as scratch:
        if source.is_file():
            origin = Path(scratch) / "origin.git"
            git(None, "init", "--quiet", "--bare", str(origin))
            _unpack(source, origin)
        else:
            origin = source
        base = git(origin, "rev-parse", "--verify", f"{recipe.base_commit or _tip(origin)}^{{commit}}")
        git(None, "init", "--quiet", "--initial-branch=main", "--template=", str(target))
        pack = Path(scratch) / "base.pack"
        # Only what the base commit reaches is copied: nothing later can be in the object database.
        with pack.open("wb") as out:
            _run(["git", "-C", str(origin), "pack-objects", "--revs", "--stdout", "-q"], text=base, stdout=out.fileno())
        with pack.open("rb") as stream:
            _run(["git", "-C", str(target), "index-pack", "--stdin"], stdin=stream.fileno())
        git(target, "update-ref", "refs/heads/main", base)
        git(target, "-c", "core.hooksPath=/dev/null", "reset", "--quiet", "--hard", "main")
        (target / ".git" / "info").mkdir(exist_ok=True)


def _unpack(source: Path, target: Path) -> None:
    with source.open("rb", buffering=0) as stream:  # the process below reads where this file object stands
        if stream.read(4) == b"# v2":
            git(target, "fetch", "--quiet", str(source.resolve()), "refs/heads/*:refs/heads/*")
            return
        stream.seek(0)
        _run(["git", "-C", str(target), "fast-import", "--quiet"], stdin=stream.fileno())


def make_tools(recipe: ImageRecipe, target: Path) -> None:
    """A virtual environment without pip, with the named packages of this installation and all that they need."""
    names = closure(recipe.host_packages, recipe.name)
    if not names:
        return
    place = target / "venv"
    venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
    for link in (place / "bin").iterdir():  # a venv made from a venv points at that one, which a sandbox does not see
        if link.is_symlink() and link.readlink().is_absolute():
            link.unlink()
            link.symlink_to(isolation.interpreter())
    (place / "pyvenv.cfg").write_text(
        f"home = {isolation.interpreter().parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    site = next((place / "lib").glob("python*/site-packages"))
    for name in names:
        _copy_distribution(metadata.distribution(name), site, place / "bin")


def closure(names: tuple[str, ...], image: str) -> list[str]:
    """The named distributions and those they need, as far as they are installed here. Raises `ImageError` for a missing one."""
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
                    hint="pip install 'cooperbench[demo]'",
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
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(str(file.locate())).read_bytes())
    for point in distribution.entry_points:
        if point.group == "console_scripts":
            script = scripts / point.name
            attribute = point.attr.split(".")[0]
            script.write_text(
                SCRIPT.format(module=point.module, attribute=attribute, call=point.attr), encoding="utf-8"
            )
            script.chmod(0o755)


def _tip(origin: Path) -> str:
    """The commit that a stream ends with: its HEAD, or its only branch."""
    head = subprocess.run(
        ["git", "-C", str(origin), "rev-parse", "--verify", "--quiet", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    if head.returncode == 0:
        return head.stdout.strip()
    branches = git(origin, "for-each-ref", "--format=%(objectname)", "refs/heads").split()
    if len(branches) != 1:
        raise ImageError(
            f"the repository has {len(branches)} branches and no base commit is named", subject=str(origin)
        )
    return branches[0]


def git(directory: Path | None, *arguments: str) -> str:
    """Run git without the user's and the system's configuration. Raises `ImageError`."""
    where = ["-C", str(directory)] if directory is not None else []
    return _run(["git", *where, *arguments])


def _run(argv: list[str], *, stdin: int | None = None, text: str | None = None, stdout: int = subprocess.PIPE) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_COUNT": "1"}
    env |= {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    given = text.encode() if text is not None else None
    source = None if given is not None else (stdin if stdin is not None else subprocess.DEVNULL)
    done = subprocess.run(argv, input=given, stdin=source, stdout=stdout, stderr=subprocess.PIPE, env=env, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise ImageError(f"{' '.join(argv[:4])} … failed: {said}", subject=argv[-1])
    return (done.stdout or b"").decode().strip()
