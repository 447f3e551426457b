"""The scripts of others are the released files, and their page names each one with its hash and licence."""

import hashlib
import re
from pathlib import Path

import cooperbench.viewer
from cooperbench.viewer.html_page import VENDORED

VENDOR = Path(cooperbench.viewer.__file__).parent / "page" / "vendor"
ROW = re.compile(r"^\| `([\w.]+)` \| npm (\w+),[^|]*\| ([\d.]+) \| `([0-9a-f]{64})` \|$", re.MULTILINE)


def test_vendored_scripts_are_the_released_files() -> None:
    rows = {name: digest for name, _, _, digest in ROW.findall((VENDOR / "README.md").read_text())}
    assert rows.keys() == set(VENDORED) == {path.name for path in VENDOR.glob("*.js")}
    for name, digest in rows.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_each_package_comes_with_its_licence() -> None:
    packages = {package for _, package, _, _ in ROW.findall((VENDOR / "README.md").read_text())}
    assert {f"{package}.LICENSE" for package in packages} == {path.name for path in VENDOR.glob("*.LICENSE")}
