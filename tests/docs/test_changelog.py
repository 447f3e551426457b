import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = 25


def entries() -> dict[str, str]:
    """Return every entry, of the changelog and of the fragments that wait for a release, by where it is."""
    listed = re.split(r"^- ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    found = {f"CHANGELOG.md, entry {number}": re.split(r"\n(?=\n|#)", text)[0] for number, text in enumerate(listed, 1)}
    fragments = sorted((ROOT / "changelog.d").glob("*.md"))
    found.update({each.name: each.read_text() for each in fragments if each.name != "README.md"})
    return found


def test_entries_have_at_most_25_words() -> None:
    long = {where: len(text.split()) for where, text in entries().items() if len(text.split()) > WORDS}
    assert not long, f"say what the user notices, in at most {WORDS} words"


def test_every_fragment_is_of_a_type_that_is_released() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    types = "|".join(each["directory"] for each in settings["type"])
    for path in (ROOT / "changelog.d").iterdir():
        if path.name != "README.md":
            assert re.fullmatch(rf"(\d+|\+[\w-]+)\.({types})\.md", path.name), f"{path.name}: see changelog.d/README.md"
