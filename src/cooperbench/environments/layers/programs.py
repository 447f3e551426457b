"""Make a layer's program: find it in the packages, and let a script run with what the layer brings rather than the image's own."""

import json
from pathlib import Path

from cooperbench.environments.layers.recipe import LayerRecipe
from cooperbench.errors import UsageError

SHIM = """#!/bin/sh
layer=$(CDPATH= cd "$(dirname "$0")/.." && pwd)
"""
NODE = 'exec "$layer/{node}" "$layer/{script}" "$@"\n'
NODE_OF_IMAGE = 'exec node "$layer/{script}" "$@"\n'
PYTHON = """PYTHONPATH=$layer/site-packages${{PYTHONPATH:+:$PYTHONPATH}}
export PYTHONPATH
exec python3 "$layer/{script}" "$@"
"""
SHOWN = 8


def make_program(content: Path, recipe: LayerRecipe, name: str) -> str:
    """Return the path of the program in the layer, made where its language needs a start of its own. Raises `UsageError`."""
    found = _find(content, recipe.program)
    if len(found) != 1:
        candidates = found or [path for path in sorted(content.rglob("*")) if _is_program(path)]
        shown = ", ".join(str(path.relative_to(content)) for path in candidates[:SHOWN]) or "none"
        problem = "is there more than once" if found else "is not in the packages"
        raise UsageError(
            f"the program {recipe.program!r} of {name} {problem}: {shown}",
            subject=name,
            hint="write the path in the layer at `program` in the agent file",
        )
    script = found[0].relative_to(content)
    if found[0].suffix in (".js", ".mjs", ".cjs"):
        node = next((path.relative_to(content) for path in _find(content, "node")), None)
        text = (NODE_OF_IMAGE if node is None else NODE).format(script=script, node=node)
    elif script.parts[0] == "site-packages":
        text = PYTHON.format(script=script)
    else:
        found[0].chmod(found[0].stat().st_mode | 0o111)  # npm makes commands executable, whatever the package says
        return str(script)
    shim = content / "bin" / Path(recipe.program).stem
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(SHIM + text)
    shim.chmod(0o755)
    return str(shim.relative_to(content))


def _find(content: Path, program: str) -> list[Path]:
    """Return the files that a name or a path may mean: the path itself, a package's own command, an executable of the name, a file."""
    direct = [content / program, content / "node_modules" / program]
    if any(path.is_file() for path in direct):
        return [next(path for path in direct if path.is_file())]
    if "/" in program:
        return []
    commands = {path.resolve() for path in _commands_of_packages(content, program) if path.is_file()}
    named = [path for path in content.rglob(program) if path.is_file() and not path.is_symlink()]
    return sorted(commands or [path for path in named if _is_program(path)] or named)


def _commands_of_packages(content: Path, program: str) -> list[Path]:
    """Return what the packages themselves call by this name: `bin` in package.json."""
    found = []
    for manifest in [*content.glob("node_modules/*/package.json"), *content.glob("node_modules/@*/*/package.json")]:
        try:
            said = json.loads(manifest.read_bytes())
        except ValueError:
            continue
        commands = said.get("bin") or {}
        if isinstance(commands, str):
            commands = {str(said.get("name", "")).rpartition("/")[2]: commands}
        if program in commands:
            found.append(manifest.parent / str(commands[program]))
    return found


def _is_program(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and bool(path.stat().st_mode & 0o100)
