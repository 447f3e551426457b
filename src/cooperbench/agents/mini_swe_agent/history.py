"""The messages of a working agent: all of them for the record, and those that still fit for the model.

When what the model would read grows past a limit, the oldest turns are replaced by one message that lists what was done in them. The
system prompt and the task always stay, and so do whole turns: a call is never parted from its result. The cut moves seldom and
then far, to half the limit, because each move makes the provider read everything anew (its prompt cache works by prefix).
"""

from typing import Any

from cooperbench.agents._text import one_line

CHARACTERS_PER_TOKEN = 3.5
"""First guess, on the safe side for code; replaced by what the provider counts."""
HEAD = 2
"""The system prompt and the task."""
DIGEST_SHARE = 0.15
"""Part of the limit that the list of earlier work may take."""


class History:
    """The messages of one run of the loop."""

    def __init__(self, token_limit: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self._token_limit = token_limit
        self._cut = HEAD
        self._characters_per_token = CHARACTERS_PER_TOKEN
        self._shown = 0
        self._lengths: list[int] = []
        """Characters of each message; counting all again for every view was a fifth of the loop's time after 400 turns."""

    def view(self) -> list[dict[str, Any]]:
        """What the model is to read now."""
        if self._tokens() > self._token_limit:
            self.shorten(self._token_limit // 2)
        self._shown = self._characters()
        return self._current()

    def learn(self, input_tokens: int | None) -> None:
        """Take over how many tokens the provider counted in the last view."""
        if input_tokens and self._shown:
            # Tokens of the tools are counted too; in short views they would spoil the ratio.
            self._characters_per_token = max(1.0, min(self._shown / input_tokens, 6.0))

    def shorten(self, token_limit: int) -> bool:
        """Leave out the oldest turns until the view is below the limit. False when nothing is left to leave out."""
        starts = [number for number in range(self._cut + 1, len(self.messages)) if self._starts_turn(number)]
        if not starts:
            return False
        for start in starts:
            self._cut = start
            if self._tokens() <= token_limit:
                break
        return True

    def _starts_turn(self, number: int) -> bool:
        return bool(self.messages[number]["role"] == "assistant")

    def _current(self) -> list[dict[str, Any]]:
        if self._cut == HEAD:
            return list(self.messages)
        return [*self.messages[:HEAD], self._digest(), *self.messages[self._cut :]]

    def _digest(self) -> dict[str, Any]:
        """One message that says what the left-out turns did, the newest of them if there is no room for all."""
        room = int(self._token_limit * DIGEST_SHARE * self._characters_per_token)
        lines: list[str] = []
        for message in reversed(self.messages[HEAD : self._cut]):
            line = _digest_line(message)
            if room < len(line):
                lines.append("…")
                break
            room -= len(line)
            lines.append(line)
        work = "\n".join(reversed(lines))
        text = f"Your earlier work, shortened to save room. Files are as you left them; read them again if needed.\n\n{work}"
        return {"role": "user", "content": text}

    def _tokens(self) -> float:
        return self._characters() / self._characters_per_token

    def _characters(self) -> int:
        """Of the present view."""
        self._lengths += [_length(message) for message in self.messages[len(self._lengths) :]]
        if self._cut == HEAD:
            return sum(self._lengths)
        return sum(self._lengths[:HEAD]) + _length(self._digest()) + sum(self._lengths[self._cut :])


def _length(message: dict[str, Any]) -> int:
    return len(str(message.get("content") or "")) + len(str(message.get("tool_calls") or ""))


def _digest_line(message: dict[str, Any]) -> str:
    content = str(message.get("content") or "")
    if message["role"] == "user":
        return f"- read: {one_line(content, 1000)}"
    if message["role"] == "tool":
        return f"  -> {one_line(content, 120)}"
    calls = [call.get("function", {}) for call in message.get("tool_calls") or ()]
    said = [one_line(content, 300)] if content else []
    return "- " + " | ".join(
        [*said, *(f"{call.get('name')} {one_line(str(call.get('arguments')), 300)}" for call in calls)]
    )


def cut_middle(text: str, limit: int) -> str:
    """`text` with its middle left out when it is longer than `limit` characters: the end says how it ended."""
    if len(text) <= limit:
        return text
    head = limit // 2
    left_out = len(text) - limit
    return f"{text[:head]}\n… {left_out} characters left out; print less, or write to a file and read parts …\n{text[-(limit - head) :]}"
