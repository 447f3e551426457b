"""Installing what a task's tests need into a local image, where a container image would bring it along.

The commands run in a sandbox of the image itself, with the network on, after a virtual environment was made in the home folder;
then the sandbox's folders become the image. The virtual environment lies in the home folder because every sandbox has a copy of
that of its own: runners that install the package again may write to it. They do so offline, hence the build requirements of the
repository are installed as well (`requirements.py`), and pip is told to use them in place of downloading its own.
"""

import re
import shlex
import subprocess
from pathlib import Path

from cooperbench.environments.contract import EnvironmentOptions
from cooperbench.environments.local import build, isolation, store
from cooperbench.environments.local.store import LocalImageRecord
from cooperbench.environments.local.transport import attach
from cooperbench.environments.supervised import SupervisedEnvironment
from cooperbench.errors import ImageError
from cooperbench.records import ImageRecipe

VENV = "/home/agent/venv"
TIMEOUT = 3600.0
"""Seconds that all commands together may take."""

PREPARE = f"""python3 -m venv {VENV} || exit
{VENV}/bin/python -I -c {shlex.quote(Path(__file__).with_name("requirements.py").read_text(encoding="utf-8"))}"""

OFFLINE = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""For pip in the sandboxes of the image. The first is meant as it stands: pip reads 0 as `--no-build-isolation`."""

CARRIED_OVER = {"cert", "extra-index-url", "index-url", "trusted-host", "timeout"}
"""Settings of this machine's pip that also hold in its local sandboxes."""


def build_with_setup(recipe: ImageRecipe, source: Path) -> LocalImageRecord:
    """Make the image of a recipe that has `setup` commands. Raises `ImageError` with the end of what a failing command printed."""
    assert recipe.setup is not None
    bare = recipe.model_copy(update={"name": f"{recipe.name}#bare", "setup": None})
    build.build(bare, source)
    path = f"{VENV}/bin:{isolation.interpreter().parent}:/usr/local/bin:/usr/bin:/bin"
    variables = {"PATH": path, "VIRTUAL_ENV": VENV, **pip_settings()}
    installing = EnvironmentOptions(network="full", lifetime=TIMEOUT + 60, command_timeout=TIMEOUT, env=variables)
    record = LocalImageRecord(
        name=recipe.name,
        digest=build.key_of(recipe.model_copy(update={"setup": f"{PREPARE}\n{recipe.setup}"}), source),
        env={**variables, **OFFLINE},
    )
    with SupervisedEnvironment("local", bare.name, options=installing) as env, store.building(recipe.name):
        for command in (PREPARE, f"set -e\n{recipe.setup}"):
            done = env.execute(command)
            if done["returncode"] != 0:
                output = done["output"].strip()[-1500:]
                raise ImageError(
                    f"the set-up of {recipe.name} failed with exit code {done['returncode']}: {output}",
                    subject=recipe.name,
                    hint="correct the commands given with --setup",
                )
        with store.new_version(record) as draft:
            attach(env.handle()).copy_out(draft / "root", ("workspace", "home"))
    return record


def pip_settings() -> dict[str, str]:
    """How this machine's pip reaches its index, as far as it is no secret and means something inside a sandbox."""
    listing = subprocess.run(
        [str(isolation.interpreter()), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found: dict[str, str] = {}
    for name, value in re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listing, re.MULTILINE):
        kept = [word for word in value.split() if _can_be_carried(word)]
        if name in CARRIED_OVER and kept:
            found[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(kept)
    return found


def _can_be_carried(word: str) -> bool:
    """Not an address with a password in it, nor a place on disk that sandboxes do not see."""
    if "@" in word or word.startswith("file:"):
        return False
    return not word.startswith("/") or any(word.startswith(place) for place in isolation.CONFIGURATION)
