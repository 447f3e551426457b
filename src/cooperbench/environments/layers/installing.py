"""Install a layer: fetch what its recipe names, once, and keep it.

Two installations of one layer at a time do the work once. One that is killed leaves a folder that the next one removes, and parts
of files that the next one continues. A layer appears in whole, by one rename.
"""

import base64
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from cooperbench.environments.layers.download import Progress, download
from cooperbench.environments.layers.npm import fetch_npm
from cooperbench.environments.layers.programs import make_program
from cooperbench.environments.layers.pypi import fetch_pypi
from cooperbench.environments.layers.recipe import Cpu, Layer, LayerFile, LayerPackage, LayerRecipe
from cooperbench.environments.layers.store import kept_layers, layers_dir, use
from cooperbench.environments.locks import locked
from cooperbench.errors import AgentError
from cooperbench.records import write_model


def install_layer(name: str, recipe: LayerRecipe, cpu: Cpu, progress: Progress | None = None) -> Layer:
    """Fetch and keep a layer, unless the same is here, and use it from now on.

    Raises `UsageError` for a version that does not exist, and `AgentError` for what cannot be fetched.
    """
    wanted = recipe.of(cpu)
    folder = layers_dir() / name
    with locked(folder / f".lock-{cpu}"):
        found = _kept(name, wanted, cpu)
        if found is not None:
            use(found)
            return found
        draft = folder / f".draft-{cpu}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            layer = _make(name, wanted, cpu, draft, progress)
            target = folder / layer.digest
            if not target.exists():
                draft.rename(target)
        except OSError as error:
            raise AgentError(
                f"the layer of {name} cannot be stored: {error}",
                subject=name,
                hint=f"free space below {layers_dir()}, or set COOPERBENCH_CACHE_DIR to a larger disk",
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        use(layer)
        return layer


def _kept(name: str, wanted: LayerRecipe, cpu: Cpu) -> Layer | None:
    """Return the layer of this recipe if it is here, in use or not."""
    return next((layer for layer in kept_layers(name) if (layer.recipe, layer.cpu) == (wanted, cpu)), None)


def _make(name: str, recipe: LayerRecipe, cpu: Cpu, draft: Path, progress: Progress | None) -> Layer:
    """Make the folder of a layer in `draft`."""
    content, downloads = draft / "content", draft.with_name(f".downloads-{cpu}")
    content.mkdir()
    downloads.mkdir(exist_ok=True)
    packages = [fetch_npm(package, version, content, downloads, progress) for package, version in recipe.npm.items()]
    packages += [_fetch_file(file, content, downloads, progress) for file in recipe.files]
    if recipe.pypi:
        packages += fetch_pypi(recipe.pypi, cpu, recipe.python, content, progress)
    shutil.rmtree(downloads, ignore_errors=True)
    program = make_program(content, recipe, name)
    layer = Layer(
        name=name,
        cpu=cpu,
        version=recipe.shown_version,
        digest=_digest(packages, program, cpu),
        packages=tuple(packages),
        program=program,
        recipe=recipe,
        bytes=sum(path.lstat().st_size for path in _make_readable(content)),
    )
    write_model(draft / "layer.json", layer)
    return layer


def _fetch_file(file: LayerFile, content: Path, downloads: Path, progress: Progress | None) -> LayerPackage:
    integrity = "sha256-" + base64.b64encode(bytes.fromhex(file.sha256)).decode()
    arrived = downloads / f"{file.sha256}-{file.path}"
    size = download(file.url, arrived, integrity, headers={}, name=file.path, progress=progress)
    shutil.move(arrived, content / file.path)
    (content / file.path).chmod(0o755 if file.executable else 0o644)
    return LayerPackage(registry="file", name=file.path, version="", integrity=integrity, bytes=size)


def _digest(packages: list[LayerPackage], program: str, cpu: Cpu) -> str:
    """Return the content address of a layer; the checksums of its packages stand for their files."""
    parts = [f"{package.registry} {package.name} {package.version} {package.integrity}" for package in packages]
    return hashlib.sha256("\n".join([cpu, program, *parts]).encode()).hexdigest()


def _make_readable(content: Path) -> Iterator[Path]:
    """Let every user of a sandbox read and run what the owner may, and yield all files."""
    for place, folders, names in os.walk(content):
        for folder in [".", *folders]:
            (Path(place) / folder).chmod(0o755)
        for name in names:
            path = Path(place) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            yield path
