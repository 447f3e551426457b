"""Restore test configuration in `setup.cfg`, as both of its readers see it.

setuptools reads it with `configparser`. pytest reads it with iniconfig, which ends lines at form feeds and the like as well, and takes
`#` and `;` behind a header for comments.
"""

import configparser
import re

from cooperbench.evaluation.configuration.toml import DISTRIBUTIONS

_SECTIONS = re.compile(
    r"^(tool:pytest|pytest|aliases|coverage:.*|tox:.*|nosetests|options\.entry_points|global|(build|install|bdist|develop).*"
    r"|egg_info|sdist)$"
)
_KEYS = ("cmdclass", "setup_requires")

Sections = dict[str, list[str]]


def restore_ini(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's test sections, or `None` if they are the same."""
    before, after = _protected(base.decode()), _protected(submitted.decode())
    if before == after:
        return None
    kept = [block for name, block in _blocks(submitted.decode()) if not _SECTIONS.match(name)]
    restored = [block for name, block in _blocks(base.decode()) if _SECTIONS.match(name)]
    result = "".join(block if block.endswith("\n") else f"{block}\n" for block in kept + restored if block)
    return result.encode() if _protected(result) == before else base


def _protected(text: str) -> tuple[dict[str, dict[str, str]], Sections]:
    """Return the protected sections as `configparser` and as iniconfig read them."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    ours = {name: dict(parser[name]) for name in parser.sections() if _SECTIONS.match(name)}
    ours["options"] = {key: parser.get("options", key) for key in _KEYS if parser.has_option("options", key)}
    if (name := parser.get("metadata", "name", fallback="").lower()) in DISTRIBUTIONS:
        ours["metadata"] = {"name": name}
    theirs: Sections = {}
    for name, block in _blocks(text):
        if _SECTIONS.match(name):
            theirs.setdefault(name, []).extend(line.rstrip() for line in block.splitlines()[1:] if line.strip())
    return ours, theirs


def _blocks(text: str) -> list[tuple[str, str]]:
    """Split a file into its sections, each with its name, by all characters that end a line for one of the readers."""
    blocks = [("", "")]
    for line in text.splitlines(keepends=True):
        header = re.match(r"^\ufeff?\[([^\]]+)\]", line)
        if header:
            blocks.append((header.group(1), line))
        else:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + line)
    return blocks
