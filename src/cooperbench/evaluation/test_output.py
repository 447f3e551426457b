"""Cut a runner's output into what each failing test printed, for people to read. Nothing is decided by it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

LONGEST = 3_000
"""Characters of one test's output; of longer ones the beginning and the end."""
MOST_TESTS = 40
"""Failing tests whose output is kept."""

# pytest and unittest print a section for each failure; cargo too; go prints what a test says before its line of result.
_SECTION = re.compile(
    r"^(?:_{3,} (?:ERROR at \w+ of )?(?P<pytest>\S.*?) _{3,}|={10,}\n(?:FAIL|ERROR): (?P<unittest>\S+).*"
    r"|---- (?P<cargo>\S+) stdout ----|=== RUN +(?P<go>\S+)|[ \t]*● (?P<jest>\S.*))$",
    re.MULTILINE,
)
_END = re.compile(
    r"^(?:={3,} (?:short test summary|.* in [\d.]+s|slowest).*|=+ .* =+|failures:|--- (?:PASS|SKIP): .*|FAIL|ok\s.*)$",
    re.MULTILINE,
)


def outputs_of(names: Iterable[str], output: str) -> Mapping[str, str]:
    """Return what each of these failing tests printed, by its name, as far as the runner says whose it is."""
    sections: defaultdict[str, list[str]] = defaultdict(list)
    for title, text in _sections(output):
        sections[title].append(text)
    found: dict[str, str] = {}
    for name in names:
        texts = [text for title in _titles_of(name) for text in sections.get(title, ())]
        place = name.split("::", 1)[0]
        # Tests of the same name in two files: a section names its file.
        texts = [text for text in texts if place in text] or texts
        if texts:
            found[name] = _shortened(texts[0].strip("\n"))
        if len(found) == MOST_TESTS:
            break
    return found


def _sections(output: str) -> Iterable[tuple[str, str]]:
    starts = list(_SECTION.finditer(output))
    for start, following in zip(starts, [*starts[1:], None], strict=False):
        text = output[start.end() : following.start() if following else len(output)]
        end = _END.search(text)
        title = next(group for group in start.groups() if group is not None)
        yield title.strip(), text[: end.start()] if end else text


def _titles_of(name: str) -> Iterable[str]:
    """Return the titles that a test's section may have."""
    own = name.split("::", 1)[-1]  # a file stands before it
    return dict.fromkeys((name, own, own.replace("::", "."), name.rpartition(":")[2].strip(), name.rpartition(".")[2]))


def _shortened(text: str) -> str:
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]}\n[...]\n{text[-half:]}"
