"""Restore test configuration and unit tests inside files that also hold other things.

`pyproject.toml`, `setup.cfg`, `package.json`, `go.mod` and `Cargo.toml` mix what a feature may need to change (dependencies, metadata) with what
decides how tests are found, run and installed. The sections of the second kind get the base's text back. The result is parsed and
compared; if it is not exactly what was intended, the base's whole file is taken. The same goes for Rust sources that bring an
`assert_eq!` of their own, since unit tests in the same file would use it.

Rust also keeps unit tests inside sources. Where hidden tests change such a file, its `#[cfg(test)] mod` gets the base's content, as
test files do: a member's own tests in that place would make the hidden ones impossible to apply. The rest of the file stays.
"""

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

Settings = Mapping[str, Any]

_TOML_KEYS = (
    ("tool", "pytest"),
    ("tool", "coverage"),
    ("tool", "tox"),
    ("tool", "poetry", "plugins", "pytest11"),
    ("tool", "poetry", "build"),
    ("tool", "hatch", "build", "hooks"),
    ("project", "entry-points", "pytest11"),
    ("build-system",),
    ("test",),
    ("profile", "test"),
    ("lib", "test"),
    ("lib", "harness"),
    ("patch",),
    ("replace",),
)
_INI_SECTIONS = re.compile(r"^(tool:pytest|pytest|aliases|coverage:.*|options\.entry_points)$")
_JSON_KEYS = ("scripts", "jest", "vitest", "mocha", "ava", "babel", "nyc", "c8")


def is_mixed(path: str) -> bool:
    """Tell whether a file can hold test configuration beside other things."""
    return _restorer(path) is not None


def _restorer(path: str) -> Callable[[bytes, bytes], bytes | None] | None:
    return _restore_rust if path.endswith(".rs") else _RESTORERS.get(PurePosixPath(path).name)


def restore_sections(path: str, base: bytes | None, submitted: bytes) -> bytes | None:
    """Return the file with the base's test configuration, or `None` if the submission did not touch that.

    `base` is `None` for a new file. Files of other kinds are never changed.
    """
    restore = _restorer(path)
    if restore is None:
        return None
    try:
        return restore(base or b"", submitted)
    except (ValueError, configparser.Error):
        return base or b""


def _restore_toml(base: bytes, submitted: bytes) -> bytes | None:
    before, after = tomllib.loads(base.decode()), tomllib.loads(submitted.decode())
    if _protected(before) == _protected(after):
        return None
    kept = [block for name, block in _toml_blocks(submitted.decode()) if not _is_protected(name)]
    restored = [block for name, block in _toml_blocks(base.decode()) if _is_protected(name)]
    result = "".join(block if block.endswith("\n") else f"{block}\n" for block in kept + restored)
    merged = tomllib.loads(result)
    if _protected(merged) != _protected(before) or _rest(merged) != _rest(after):
        return base
    return result.encode()


def _toml_blocks(text: str) -> list[tuple[tuple[str, ...], str]]:
    """Split a TOML file into its tables as text, each with the key of its header, which is empty before the first header."""
    blocks: list[tuple[tuple[str, ...], str]] = [((), "")]
    for line in text.splitlines(keepends=True):
        header = re.match(r"^\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(#.*)?$", line)
        if header:
            blocks.append((tuple(part.strip(" \"'") for part in header.group(1).split(".")), line))
        else:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + line)
    return blocks


def _is_protected(name: tuple[str, ...]) -> bool:
    return any(name[: len(key)] == key for key in _TOML_KEYS)


def _protected(settings: Settings) -> list[object]:
    return [_look_up(settings, key) for key in _TOML_KEYS]


def _look_up(settings: Settings, key: tuple[str, ...]) -> object:
    value: object = settings
    for part in key:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _rest(settings: Settings) -> str:
    """Return everything that is not protected, without tables that became empty, in a form that can be compared."""

    def without(value: object, path: tuple[str, ...]) -> object:
        if not isinstance(value, Mapping):
            return value
        items = {k: without(v, (*path, k)) for k, v in value.items() if (*path, k) not in _TOML_KEYS}
        return {k: v for k, v in items.items() if v != {}}

    return json.dumps(without(settings, ()), sort_keys=True, default=str)


def _restore_ini(base: bytes, submitted: bytes) -> bytes | None:
    before, after = _ini(base), _ini(submitted)
    if before == after:
        return None
    kept = [block for name, block in _ini_blocks(submitted.decode()) if not _INI_SECTIONS.match(name)]
    restored = [block for name, block in _ini_blocks(base.decode()) if _INI_SECTIONS.match(name)]
    return "".join(block if block.endswith("\n") else f"{block}\n" for block in kept + restored).encode()


def _ini(data: bytes) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(data.decode())
    return {name: dict(parser[name]) for name in parser.sections() if _INI_SECTIONS.match(name)}


def _ini_blocks(text: str) -> list[tuple[str, str]]:
    blocks = [("", "")]
    for line in text.splitlines(keepends=True):
        header = re.match(r"^\[([^\]]+)\]", line)
        if header:
            blocks.append((header.group(1), line))
        else:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + line)
    return blocks


def _restore_json(base: bytes, submitted: bytes) -> bytes | None:
    before, after = json.loads(base or b"{}"), json.loads(submitted)
    if not isinstance(before, dict) or not isinstance(after, dict):
        raise ValueError("not a JSON object")
    if all(before.get(key) == after.get(key) for key in _JSON_KEYS):
        return None
    merged = {key: value for key, value in after.items() if key not in _JSON_KEYS}
    merged.update({key: before[key] for key in _JSON_KEYS if key in before})
    return (json.dumps(merged, indent=2, ensure_ascii=False) + "\n").encode()


_ASSERTIONS = re.compile(rb"\bmacro_rules!\s*((?:debug_)?assert(?:_eq|_ne)?|panic|unreachable|matches)\b")


def _restore_rust(base: bytes, submitted: bytes) -> bytes | None:
    return base if set(_ASSERTIONS.findall(submitted)) - set(_ASSERTIONS.findall(base)) else None


_REPLACE = re.compile(
    r"^[ \t]*replace[ \t]*\(.*?^[ \t]*\)[^\n]*\n?|^[ \t]*replace[ \t][^\n(]*\n?", re.MULTILINE | re.DOTALL
)


def _restore_go_mod(base: bytes, submitted: bytes) -> bytes | None:
    """Restore replaced modules: another module in the place of one that tests assert with would be asked instead."""
    before, after = base.decode(), submitted.decode()
    replaced = _REPLACE.findall(before)
    if replaced == _REPLACE.findall(after):
        return None
    kept = _REPLACE.sub("", after).rstrip("\n")
    return "\n".join([kept, *(part.rstrip("\n") for part in replaced), ""]).encode()


_RESTORERS: dict[str, Callable[[bytes, bytes], bytes | None]] = {
    "pyproject.toml": _restore_toml,
    "Cargo.toml": _restore_toml,
    "setup.cfg": _restore_ini,
    "package.json": _restore_json,
    "go.mod": _restore_go_mod,
}


# From the attribute to the first brace at the beginning of a line, which is where rustfmt closes the module.
_TEST_MODULE = re.compile(
    rb"^#\[cfg\(test\)\]\s*\n(?:#\[[^\n]*\]\s*\n)*(?:pub(?:\([^)]*\))? )?mod \w+ \{\n.*?^\}\n?", re.M | re.S
)


def holds_unit_tests(path: str) -> bool:
    """Tell whether hidden tests at this path are unit tests inside a source rather than a file of their own."""
    parts = PurePosixPath(path).parts
    return path.endswith(".rs") and "tests" not in parts[:-1] and parts[-1] not in ("tests.rs", "test.rs")


def restore_unit_tests(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's test module, or `None` if the submission left that alone."""
    before, after = _TEST_MODULE.search(base), _TEST_MODULE.search(submitted)
    old = before.group() if before else b""
    if after is None:
        return None if before is None else submitted.rstrip(b"\n") + b"\n\n" + old
    if after.group() == old:
        return None
    kept = submitted[: after.start()], submitted[after.end() :]
    return b"".join((kept[0], old, kept[1])) if before else kept[0].rstrip(b"\n") + b"\n" + kept[1]
