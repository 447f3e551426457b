"""The messages of a running agent: all of them for the record, and a view that fits the model.

When the view exceeds a limit, one message that lists the work done replaces the oldest turns. The system prompt and the task
always stay, and turns stay whole: a call is never separated from its result. The cut moves rarely and then far, to half the
limit, because each move makes the provider read everything again (its prompt cache works by prefix).
"""

from typing import Any

from cooperbench.agents.reading import one_line

CHARACTERS_PER_TOKEN = 3.5
"""A first guess that errs on the safe side for code; replaced by the provider's count."""
HEAD = 2
"""The system prompt and the task."""
DIGEST_SHARE = 0.15
"""Share of the limit for the list of earlier work."""
WINDOW_SHARE = 0.8
"""Share of the model's window for the history. The rest is for the answer and the tools."""
SHORTEST_RESULT = 200
"""Characters."""


class History:
    """The messages of one run of the loop."""

    def __init__(self, token_limit: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self._token_limit = token_limit
        self._cut = HEAD
        self._piece: int | None = None
        """Characters of a result that are shown, when even the newest turns are too long for the model."""
        self._characters_per_token = CHARACTERS_PER_TOKEN
        self._shown = 0
        self._lengths: list[int] = []
        """Characters of each message. Recounting them for each view took a fifth of the loop's time after 400 turns."""

    def view(self) -> list[dict[str, Any]]:
        """Return the messages for the next call of the model, shortened if necessary."""
        if self._tokens() > self._token_limit:
            self.shorten(self._token_limit // 2)
        self._shown = self._characters()
        return self._current()

    def learn(self, input_tokens: int | None) -> None:
        """Adopt the provider's token count of the last view."""
        if input_tokens and self._shown:
            # The count includes the tools, which would distort the ratio in short views.
            self._characters_per_token = max(1.0, min(self._shown / input_tokens, 6.0))

    def refused(self, window: int | None, asked: int | None) -> bool:
        """Shorten the view that the model refused as too long: to what the refusal says, else to half. Return False at the end.

        `window` is the most that the model takes and `asked` the length of the request, in tokens.
        """
        self.learn(asked)
        refused = self._tokens()
        limit = refused / 2 if window is None else window * WINDOW_SHARE
        self._token_limit = max(1, int(min(self._token_limit, limit if limit < refused else refused / 2)))
        return self.shorten(self._token_limit // 2) or self._cut_results()

    def _cut_results(self) -> bool:
        """Halve what is shown of each result."""
        longest = max((len(str(message.get("content"))) for message in self.messages[HEAD:]), default=0)
        self._piece = min(self._piece or longest, longest) // 2
        return self._piece >= SHORTEST_RESULT

    def shorten(self, token_limit: int) -> bool:
        """Cut the oldest turns until the view is below the limit. Return False when nothing is left to cut."""
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
        rest = [self._cut_result(message) for message in self.messages[self._cut :]]
        digest = [] if self._cut == HEAD else [self._digest()]
        return [*self.messages[:HEAD], *digest, *rest]

    def _cut_result(self, message: dict[str, Any]) -> dict[str, Any]:
        content = message.get("content")
        if self._piece is None or message["role"] not in {"tool", "user"} or not isinstance(content, str):
            return message
        return {**message, "content": cut_middle(content, self._piece)}

    def _digest(self) -> dict[str, Any]:
        """Build one message that lists the work of the turns cut, the newest if there is no room for all."""
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
        """Count the characters of the current view."""
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
    """Cut the middle of a text that is longer than `limit` characters: its end matters, as its beginning does."""
    if len(text) <= limit:
        return text
    head = limit // 2
    left_out = len(text) - limit
    return f"{text[:head]}\n… {left_out} characters left out; print less, or write to a file and read parts …\n{text[-(limit - head) :]}"
