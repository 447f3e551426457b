"""Restore what `package.json` says about tests, other versions of packages, and packages out of files."""

import json
import re

_KEYS = (
    *("scripts", "jest", "vitest", "mocha", "ava", "babel", "nyc", "c8", "postcss"),
    *("overrides", "resolutions", "pnpm", "packageManager", "volta", "gypfile", "bundleDependencies"),
)
_DEPENDENCIES = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
_ELSEWHERE = re.compile(r"^(file:|link:|portal:|patch:|npm:|git|https?:|ssh:|\.{0,2}/|~/|[\w-]+/[\w.-]+(#|$))")
"""A version that is not a version from the registry: a folder, an archive, a repository, another package."""


def restore_package_json(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's test settings, or `None` if they are the same."""
    before, after = json.loads(base or b"{}"), json.loads(submitted)
    if not isinstance(before, dict) or not isinstance(after, dict):
        raise ValueError("not a JSON object")
    merged = {key: value for key, value in after.items() if key not in _KEYS}
    merged.update({key: before[key] for key in _KEYS if key in before})
    for key in _DEPENDENCIES:
        old, new = before.get(key), after.get(key)
        if isinstance(new, dict):
            merged[key] = _from_registry(old if isinstance(old, dict) else {}, new)
    if merged == after:
        return None
    return (json.dumps(merged, indent=2, ensure_ascii=False) + "\n").encode()


def _from_registry(old: dict[str, object], new: dict[str, object]) -> dict[str, object]:
    """Return the new dependencies; those that come from elsewhere are what they were."""
    kept: dict[str, object] = {}
    for name, version in new.items():
        if version == old.get(name) or not (isinstance(version, str) and _ELSEWHERE.match(version)):
            kept[name] = version
        elif name in old:
            kept[name] = old[name]
    return kept
