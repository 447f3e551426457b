"""Installs what a task's tests need into a local image, where a container image would include it.

The commands run in a sandbox of the image itself, with the network on and a virtual environment in the home folder. Then the
sandbox's folders become the image. Every sandbox has its own copy of the home folder, so runners that install the package again
may write to it. They do so offline: the repository's build requirements are installed as well (`requirements.py`), and pip is
configured to use them instead of downloading.
"""

import re
import shlex
import subprocess
from pathlib import Path

from cooperbench.environments.contract import EnvironmentOptions
from cooperbench.environments.environment import Environment
from cooperbench.environments.local import build, isolation, store
from cooperbench.environments.local.store import LocalImageRecord
from cooperbench.environments.local.transport import attach
from cooperbench.environments.local.view import CONFIGURATION, interpreter
from cooperbench.errors import ImageError
from cooperbench.records import ImageRecipe

VENV = "/home/agent/venv"
TIMEOUT = 3600.0
"""Time limit for all commands together, in seconds."""

PREPARE = f"""python3 -m venv {VENV} || exit
{VENV}/bin/python -I -c {shlex.quote(Path(__file__).with_name("requirements.py").read_text(encoding="utf-8"))}"""

OFFLINE = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""For pip in the sandboxes of the image. The first is correct: pip reads 0 as `--no-build-isolation`."""

CARRIED_OVER = {"cert", "extra-index-url", "index-url", "trusted-host", "timeout"}
"""Settings of this machine's pip that also apply in its local sandboxes."""


def build_with_setup(recipe: ImageRecipe, source: Path) -> LocalImageRecord:
    """Build the image of a recipe that has `setup` commands. Raises `ImageError` with the end of a failing command's output."""
    assert recipe.setup is not None
    bare = recipe.model_copy(update={"name": f"{recipe.name}#bare", "setup": None})
    build.build(bare, source)
    path = f"{VENV}/bin:{interpreter().parent}:/usr/local/bin:/usr/bin:/bin"
    variables = {"PATH": path, "VIRTUAL_ENV": VENV, **pip_settings()}
    isolation.choose(allow_unsandboxed=False)
    installing = EnvironmentOptions(
        network="full",
        allow_unsandboxed=True,  # the commands are the user's, and share this machine's network
        lifetime=TIMEOUT + 60,
        command_timeout=TIMEOUT,
        env=variables,
    )
    record = LocalImageRecord(
        name=recipe.name,
        digest=build.key_of(recipe.model_copy(update={"setup": f"{PREPARE}\n{recipe.setup}"}), source),
        env={**variables, **OFFLINE},
    )
    with Environment("local", bare.name, options=installing) as env, store.building(recipe.name):
        for command in (PREPARE, f"set -e\n{recipe.setup}"):
            done = env.execute(command)
            if done["returncode"] != 0:
                output = done["output"].strip()[-1500:]
                raise ImageError(
                    f"the setup of {recipe.name} failed with exit code {done['returncode']}: {output}",
                    subject=recipe.name,
                    hint="correct the commands given with --setup",
                )
        with store.new_version(record) as draft:
            attach(env.handle()).copy_out(draft / "root", ("workspace", "home"))
    return record


def pip_settings() -> dict[str, str]:
    """Return how this machine's pip reaches its index, without secrets and host paths."""
    listing = subprocess.run(
        [str(interpreter()), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found: dict[str, str] = {}
    for name, value in re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listing, re.MULTILINE):
        kept = [word for word in value.split() if _can_be_carried(word)]
        if name in CARRIED_OVER and kept:
            found[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(kept)
    return found


def _can_be_carried(word: str) -> bool:
    """Refuse addresses with a password, and paths that sandboxes do not see."""
    if "@" in word or word.startswith("file:"):
        return False
    return not word.startswith("/") or any(word.startswith(place) for place in CONFIGURATION)
