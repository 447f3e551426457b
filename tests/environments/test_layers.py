"""Large local images are laid under the sandboxes by the kernel: what is written stays private, and nothing stays behind."""

from pathlib import Path

import pytest

from cooperbench.environments import Environment, LocalEnvironment, build_image, open_environment, orphans, remove
from cooperbench.environments.local import isolation, store
from cooperbench.environments.local.rootfs import LARGE, overlays_work
from cooperbench.environments.local.transport import sandboxes
from cooperbench.records import ImageRecipe
from cooperbench.testing.conformance.commands import until
from cooperbench.testing.images import make_repository
from tests.needs import CI

CHANGE = """set -e
echo changed > file7.txt
rm file8.txt
mv folder moved || { cp -a folder moved && rm -rf folder; }
ln -s file9.txt link
chmod +x file9.txt
"""
SEEN = "cat file7.txt file8.txt 2>&1; ls -d folder/* moved/* link 2>/dev/null; test -x file9.txt && echo executable"


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.needs(name)) for name in ("bubblewrap", "unshare")])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = isolation.Isolation(request.param)
    monkeypatch.setenv(isolation.FORCE, name)
    sandboxes().mkdir(parents=True, exist_ok=True)
    if not CI and not overlays_work(name, sandboxes()):
        pytest.skip(f"the kernel lets no user lay folders over each other with {name}: use Linux 5.11 or newer")
    return name.value


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with many files."""
    folder = tmp_path_factory.mktemp("large")
    files = {f"file{number}.txt": f"{number}\n" for number in range(LARGE)}
    make_repository(folder / "repo", {**files, "folder/inside.txt": "inside\n"})
    return folder / "repo"


@pytest.fixture(scope="module")
def large(repository: Path, cache: Path) -> str:
    """An image with many files."""
    build_image("local", ImageRecipe(name="test:large", context=repository.parent, repository=repository))
    return "test:large"


def folder_of(environment: Environment) -> Path:
    return sandboxes() / environment.handle().identifier


def contents(image: str) -> list[tuple[str, int, bytes]]:
    found = store.find(image)
    assert found is not None
    files = [path for path in sorted((found.path / "root" / "workspace").rglob("*")) if path.is_file()]
    return [(str(path), path.stat().st_mode, path.read_bytes()) for path in files]


def test_what_is_written_is_private(large: str, level: str) -> None:
    before = contents(large)
    with LocalEnvironment(large) as first, LocalEnvironment(large) as second:
        assert (folder_of(first) / "upper").is_dir()
        assert first.execute("git status --short")["output"] == ""
        assert first.execute(CHANGE)["returncode"] == 0
        assert first.execute("git add -A && git commit -qm work && git gc -q && git status --short")["output"] == ""
        changed = "changed\ncat: file8.txt: No such file or directory\nlink\nmoved/inside.txt\nexecutable\n"
        assert first.execute(SEEN)["output"] == changed
        assert second.execute(SEEN)["output"] == "7\n8\nfolder/inside.txt\n"
        assert second.execute("git log --oneline | wc -l")["output"].strip() == "1"
        folders = [folder_of(first), folder_of(second)]
    assert contents(large) == before
    assert not any(folder.exists() for folder in folders)


def test_a_snapshot_is_what_the_sandbox_sees(large: str, level: str) -> None:
    with LocalEnvironment(large) as environment:
        assert environment.execute(f"{CHANGE} echo home > ~/note; echo scratch > /tmp/note")["returncode"] == 0
        seen = environment.execute(SEEN)["output"]
        snapshot = environment.snapshot()
        environment.execute("git checkout -q . ; rm -rf moved")
    with LocalEnvironment(snapshot) as copy:
        assert copy.execute(SEEN)["output"] == seen
        assert copy.execute("cat ~/note /tmp/note")["output"] == "home\nscratch\n"
        assert copy.execute("git status --short | wc -l")["output"].strip() == "6"
    for orphan in orphans(backends=["local"]):
        if orphan.identifier == snapshot:
            remove(orphan)


@pytest.mark.slow
def test_one_that_ends_by_itself_leaves_nothing(large: str, level: str) -> None:
    environment = LocalEnvironment(large, timeout=2)
    folder = folder_of(environment)
    assert (folder / "upper").is_dir()
    assert until(lambda: not folder.exists(), 120)


@pytest.mark.slow
@pytest.mark.ci
def test_a_large_image_is_set_up_by_commands(repository: Path, level: str) -> None:
    setup = f"echo built by {level} >/dev/null; echo built > built.txt; rm file0.txt"  # each level builds its own
    recipe = ImageRecipe(name="test:large-setup", context=repository.parent, repository=repository, setup=setup)
    build_image("local", recipe)
    with open_environment("local", "test:large-setup") as environment:
        assert (
            environment.execute("git status --short; cat built.txt")["output"] == " D file0.txt\n?? built.txt\nbuilt\n"
        )


def test_small_images_are_copied(image: str, level: str) -> None:
    with LocalEnvironment(image) as environment:
        assert not (folder_of(environment) / "upper").exists()
        assert (folder_of(environment) / "root" / "workspace" / "repo").is_dir()


def test_overlays_are_not_tried_where_a_path_cannot_be_named(tmp_path: Path) -> None:
    place = tmp_path / "a,b"
    place.mkdir()
    assert not overlays_work(isolation.Isolation.UNSHARE, place)
