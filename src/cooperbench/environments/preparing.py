"""Fetches the images of tasks before a run needs them, within a budget of disk space.

What CooperBench fetched is noted in `<cache>/prepared/<backend>/`, one small file for each image, whose time is that of the last use.
Only such images count against the budget, and only they are ever removed.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from cooperbench.environments.backend import Backend, Progress
from cooperbench.environments.locks import locked
from cooperbench.errors import ImageError, SandboxCredentialsError, SandboxError
from cooperbench.records import ImageRecipe, Record, cache_dir, read_model, write_model

KEEP_FREE = 5 * 10**9
"""Bytes of the disk that are left free, whatever the budget."""


class FetchedImage(Record):
    """The note of an image that CooperBench fetched."""

    name: str
    bytes: int | None = None


class PreparedImage(Record):
    """The outcome for one image."""

    name: str
    status: Literal["here", "fetched", "missing", "no space", "failed", "removed"]
    bytes: int | None = Field(None, description="Size on disk, where it is known.")
    seconds: float = 0.0
    message: str = ""


class ImagePreparation:
    """One backend on this machine, and the budget for its images. Several processes may prepare the same images at a time."""

    def __init__(self, backend: Backend, *, max_bytes: float | None = None, remove_unused: bool = False) -> None:
        self._backend = backend
        self._max_bytes = float("inf") if max_bytes is None else max_bytes
        self._remove_unused = remove_unused

    def look(self, recipes: Sequence[ImageRecipe]) -> Iterator[PreparedImage]:
        """Yield which images are here, and which are missing. A size is known of what is or was here."""
        for recipe in recipes:
            facts = self._backend.image_facts(recipe)
            size = facts.bytes if facts.here else _size(_note(self._backend.name, recipe.name))
            yield PreparedImage(name=recipe.name, status="here" if facts.here else "missing", bytes=size)

    def prepare(self, recipes: Sequence[ImageRecipe], progress: Progress | None = None) -> Iterator[PreparedImage]:
        """Fetch what is missing, and yield an outcome for each image, those removed included. One that fails stops no other."""
        wanted = {recipe.name for recipe in recipes}
        for recipe in recipes:
            # One process fetches, and the others find the image when they have waited for it.
            with locked(_note(self._backend.name, recipe.name).with_suffix(".lock")):
                facts = self._backend.image_facts(recipe)
                if facts.here:
                    note_use(self._backend.name, recipe.name)
                    yield PreparedImage(name=recipe.name, status="here", bytes=facts.bytes)
                    continue
                yield from self._make_space(recipe, wanted)
                yield self._fetch(recipe, progress)

    def _fetch(self, recipe: ImageRecipe, progress: Progress | None) -> PreparedImage:
        problem = self._lack_of_space(recipe)
        if problem is not None:
            return PreparedImage(name=recipe.name, status="no space", message=problem)
        begun = time.monotonic()
        try:
            if recipe.bundled or recipe.in_registry:
                self._backend.pull_image(recipe, None, progress)
            else:
                self._backend.build_image(recipe, repo_source=None, base_image=None, progress=progress)
        except (ImageError, SandboxCredentialsError) as error:
            return PreparedImage(name=recipe.name, status="failed", message=str(error))
        size = self._backend.image_facts(recipe).bytes
        write_model(_note(self._backend.name, recipe.name), FetchedImage(name=recipe.name, bytes=size))
        seconds = time.monotonic() - begun
        return PreparedImage(name=recipe.name, status="fetched", bytes=size, seconds=round(seconds, 1))

    def _make_space(self, recipe: ImageRecipe, wanted: set[str]) -> Iterator[PreparedImage]:
        """Remove images that were fetched and are not wanted, the one that was used longest ago first."""
        for path in sorted(_notes(self._backend), key=_used) if self._remove_unused else ():
            note = read_model(path, FetchedImage)
            if self._lack_of_space(recipe) is None:
                return
            if note.name in wanted or not self._is_here(note.name):
                continue
            try:
                self._backend.remove_image(note.name)
            except SandboxError as error:  # in use
                yield PreparedImage(name=note.name, status="failed", message=f"not removed: {error.message}")
            else:
                yield PreparedImage(name=note.name, status="removed", bytes=note.bytes)

    def _lack_of_space(self, recipe: ImageRecipe) -> str | None:
        taken = sum(note.bytes or 0 for note in self._fetched())
        size = _size(_note(self._backend.name, recipe.name)) or 0
        if taken + size >= self._max_bytes:
            return f"{taken / 1e9:.1f} GB of the budget of {self._max_bytes / 1e9:g} GB are taken"
        free = self._backend.free_space()
        if free is not None and free - size < KEEP_FREE:
            return f"only {free / 1e9:.1f} GB of the disk are free"
        return None

    def _fetched(self) -> list[FetchedImage]:
        notes = [read_model(path, FetchedImage) for path in _notes(self._backend)]
        return [note for note in notes if self._is_here(note.name)]

    def _is_here(self, name: str) -> bool:
        return self._backend.image_facts(ImageRecipe(name=name, context=Path())).here


def note_use(backend: str, name: str) -> None:
    """Note that an image is used now, if CooperBench fetched it."""
    with contextlib.suppress(OSError):
        os.utime(_note(backend, name))


def _note(backend: str, name: str) -> Path:
    return cache_dir() / "prepared" / backend / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def _notes(backend: Backend) -> list[Path]:
    return list((cache_dir() / "prepared" / backend.name).glob("*.json"))


def _size(path: Path) -> int | None:
    return read_model(path, FetchedImage).bytes if path.exists() else None


def _used(path: Path) -> float:
    return path.stat().st_mtime
