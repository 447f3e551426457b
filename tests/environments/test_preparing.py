"""Images are fetched before a run, once on a machine, within a budget."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from cooperbench.environments import (
    Backend,
    Capability,
    EnvironmentOptions,
    ImageFacts,
    ImagePreparation,
    PreparedImage,
    SandboxHandle,
    SandboxLabels,
    Transport,
)
from cooperbench.environments.preparing import note_use
from cooperbench.errors import ImageError, SandboxError
from cooperbench.records import ImageRecipe
from tests.command_line import cooperbench

GB = 10**9


class FolderBackend(Backend):
    """Has images that are empty files in a folder; their size is in their name."""

    name = "folder"

    def __init__(self, folder: Path, pause: float = 0) -> None:
        self.folder, self.pause = folder, pause
        self.pulled: list[str] = []
        self.used: set[str] = set()

    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        return frozenset()

    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> Transport:
        raise NotImplementedError

    def attach(self, handle: SandboxHandle) -> Transport:
        raise NotImplementedError

    def image_facts(self, recipe: ImageRecipe) -> ImageFacts:
        here = (self.folder / recipe.name.replace("/", "+")).exists()
        size = int(recipe.name.rpartition("-")[2]) * GB if here else None
        return ImageFacts(backend=self.name, name=recipe.name, here=here, bytes=size)

    def pull_image(self, recipe: ImageRecipe, platform: str | None, progress: object) -> str | None:
        if "broken" in recipe.name:
            raise ImageError("no such image", subject=recipe.name, hint="build it")
        time.sleep(self.pause)
        self.pulled.append(recipe.name)
        (self.folder / recipe.name.replace("/", "+")).touch()
        return None

    def remove_image(self, name: str) -> None:
        if name in self.used:
            raise SandboxError("a sandbox uses it")
        (self.folder / name.replace("/", "+")).unlink()


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderBackend:
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "images").mkdir()
    return FolderBackend(tmp_path / "images")


def recipes(*names: str) -> list[ImageRecipe]:
    return [ImageRecipe(name=f"own/{name}", context=Path()) for name in names]


def outcomes(found: list[PreparedImage]) -> list[tuple[str, str]]:
    return [(outcome.name.removeprefix("own/"), outcome.status) for outcome in found]


def test_what_is_missing_is_fetched_and_a_second_time_nothing(backend: FolderBackend) -> None:
    preparation, wanted = ImagePreparation(backend), recipes("a-1", "broken-1", "b-2")
    assert outcomes(list(preparation.look(wanted))) == [("a-1", "missing"), ("broken-1", "missing"), ("b-2", "missing")]
    found = list(preparation.prepare(wanted))
    assert outcomes(found) == [("a-1", "fetched"), ("broken-1", "failed"), ("b-2", "fetched")]
    assert "build it" in found[1].message
    assert outcomes(list(preparation.prepare(wanted)))[0] == ("a-1", "here")
    assert backend.pulled == ["own/a-1", "own/b-2"]
    assert [outcome.bytes for outcome in preparation.look(wanted)] == [GB, None, 2 * GB]


def test_the_budget_counts_what_was_fetched_and_nothing_else(backend: FolderBackend) -> None:
    (backend.folder / "own+mine-40").touch()
    found = list(ImagePreparation(backend, max_bytes=3 * GB).prepare(recipes("a-2", "b-2", "c-2", "mine-40")))
    assert outcomes(found) == [("a-2", "fetched"), ("b-2", "fetched"), ("c-2", "no space"), ("mine-40", "here")]
    assert found[2].message == "4.0 GB of the budget of 3 GB are taken"


def test_unused_images_make_space_only_when_asked_and_the_oldest_first(backend: FolderBackend) -> None:
    (backend.folder / "own+mine-40").touch()
    backend.pause = 0.02  # file systems note the time in steps of some milliseconds
    list(ImagePreparation(backend).prepare(recipes("a-2", "b-2", "used-2", "kept-2")))
    note_use("folder", "own/a-2")
    backend.used.add("own/used-2")
    refused = ImagePreparation(backend, max_bytes=7 * GB).prepare(recipes("new-2", "kept-2"))
    assert outcomes(list(refused)) == [("new-2", "no space"), ("kept-2", "here")]
    found = ImagePreparation(backend, max_bytes=7 * GB, remove_unused=True).prepare(recipes("new-2", "kept-2"))
    assert outcomes(list(found)) == [("b-2", "removed"), ("new-2", "fetched"), ("kept-2", "here")]
    found = ImagePreparation(backend, max_bytes=5 * GB, remove_unused=True).prepare(
        recipes("last-2", "kept-2", "new-2")
    )
    assert outcomes(list(found)) == [
        ("used-2", "failed"),
        ("a-2", "removed"),
        ("last-2", "no space"),
        ("kept-2", "here"),
        ("new-2", "here"),
    ]
    assert (backend.folder / "own+mine-40").exists()
    assert [outcome.bytes for outcome in ImagePreparation(backend).look(recipes("a-2", "unknown-2"))] == [2 * GB, None]


def test_two_at_once_do_the_work_once(backend: FolderBackend) -> None:
    backend.pause = 0.2
    found: list[list[PreparedImage]] = []

    def prepare() -> None:
        found.append(list(ImagePreparation(backend).prepare(recipes("a-1", "b-1"))))

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(backend.pulled) == ["own/a-1", "own/b-1"]
    assert all(outcome.status in ("fetched", "here") for each in found for outcome in each)


def test_options_of_images_need_images_and_sizes_have_units(tmp_path: Path) -> None:
    for option in (("--max-disk", "3"), ("--dry-run",), ("--remove-unused",), ("-r", "x"), ("--backend", "local")):
        said = cooperbench("prepare", "--dataset-dir", str(tmp_path), *option)
        assert (said.code, f"{option[0]} needs --images" in said.err) == (2, True), said
    for size in ("3KB", "-1", "many"):
        said = cooperbench("prepare", "--images", f"--max-disk={size}", "--dataset-dir", str(tmp_path))
        assert (said.code, "size such as 50GB" in said.err) == (2, True), said


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_a_line_for_each_image_of_the_tasks(tmp_path: Path) -> None:
    env = {"COOPERBENCH_CACHE_DIR": str(tmp_path)}
    options = ("prepare", "--images", "-s", "demo", "-r", "shelfdb_task", "--max-disk", "1.5 GB")
    assert "demo:shelfdb_task-1  missing" in cooperbench(*options, "--dry-run", env=env).out
    said = cooperbench(*options, env=env)
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 of 1 image here, 0.0 GB")
    [image] = cooperbench(*options, "--json", env=env).facts
    assert (image["name"], image["status"]) == ("demo:shelfdb_task-1", "here")
