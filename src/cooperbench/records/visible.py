"""Texts of agents, models and repositories as they may be shown: nothing in them commands a terminal or reorders a line.

Records keep every character. These functions are for the moment at which a text is printed, or put before a model among texts of
others: an escape sequence could redraw what the harness printed, a carriage return or a bidirectional override make a line look
like another one, and a line end followed by a forged header look like another message.
"""

import re

# C0 and C1 controls but tab and line feed; marks, separators and overrides that move text; half characters, which cannot be
# encoded; the invisible tags. Joiners stay: emoji and several scripts need them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""Return `text` with control and formatting characters as escapes such as `\x1b`. Tabs and line ends stay."""
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return `text` visibly and in one line: each line end becomes a space."""
    return visible(" ".join(text.splitlines()))


def quoted(text: str, mark: str = "> ") -> str:
    """Return `text` visibly with `mark` before each of its lines, whatever ends them, and a line end after the last.

    No line of it can be taken for a line of whoever prints it.
    """
    return "".join(f"{mark}{visible(line)}\n" for line in text.splitlines() or [""])


def _escape(found: "re.Match[str]") -> str:
    return found.group().encode("unicode_escape").decode("ascii")
