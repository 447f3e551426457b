"""Choose values that look at home: literals and words which the sources of a repository use at least twice."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

MANY = 2
"""Uses from which on a value is part of the repository's own language."""
TOLERANCE = 0.1
"""Tests may allow for as much, in absolute terms or relative to both numbers: another decimal number is further away than twice that."""

_TOKEN = re.compile(
    rb"""(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(?<![\w.])(?P<number>\d+(?:\.\d+)?)(?![\w.])"""
)
_WORD = re.compile(r"[A-Za-z]{3,}")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])|\d")
_LETTERS = ("aeiou", "bcdfglmnprst", "AEIOU", "BCDFGLMNPRST", "0123456789")


class Vocabulary:
    """Values by the number of their uses."""

    def __init__(self, sources: Iterable[bytes]) -> None:
        texts: Counter[str] = Counter()
        numbers: Counter[str] = Counter()
        for source in sources:
            for token in _TOKEN.finditer(source):
                if token["text"] is not None:
                    texts[token["text"][1:-1].decode("utf-8", "replace")] += 1
                else:
                    numbers[token["number"].decode()] += 1
        words = Counter(word for text, uses in texts.items() for word in _WORD.findall(text) for _ in range(uses))
        self._texts = sorted(text for text, uses in texts.items() if uses >= MANY and text and "\\" not in text)
        self._numbers = sorted(number for number, uses in numbers.items() if uses >= MANY)
        self._words = sorted(word for word, uses in words.items() if uses >= MANY)

    def numbers(self, value: str, rnd: random.Random, own: Sequence[str] = (), *, tolerant: bool = False) -> list[str]:
        """Return numbers that may stand in for one: of its form, one of the test's `own`, the next numbers, then others of as many digits.

        Expected numbers are rarely used elsewhere, so the next one looks as well as they do. Decimal numbers, and others if a test is
        `tolerant`, are so far away that what is near enough to one is not near enough to the other.
        """
        far = tolerant or "." in value
        fits = [each for each in self._numbers if _is_other_number(each, value, far=far)]
        rnd.shuffle(fits)
        fits.sort(key=lambda each: abs(len(each) - len(value)))
        mine = list(dict.fromkeys(each for each in own if _is_other_number(each, value, far=far)))
        near = _neighbours(value, far=far)
        rnd.shuffle(near)
        return list(dict.fromkeys([*mine[:1], *near, *fits, *mine]))[:4]

    def texts(self, value: str, rnd: random.Random, own: Sequence[str] = ()) -> list[str]:
        """Return texts that may stand in for one: others of its form, the test's `own` first, else itself with one word or number exchanged."""
        fits = [each for each in self._texts if _alike(each, value)]
        rnd.shuffle(fits)
        mine = list(dict.fromkeys(each for each in own if _alike(each, value)))
        return list(dict.fromkeys([*mine[:2], *fits]))[:3] or self.phrases(value, rnd)

    def phrases(self, value: str, rnd: random.Random) -> list[str]:
        """Return the text with one word or number exchanged for another that is used elsewhere."""
        found = []
        places = list(_WORD.finditer(value))
        rnd.shuffle(places)
        for place in places:
            fits = [word for word in self._words if _alike(word, place[0]) and word not in value]
            if fits:
                found.append(value[: place.start()] + rnd.choice(fits) + value[place.end() :])
        for place in _NUMBER.finditer(value):
            fits = [each for each in self._numbers if len(each) == len(place[0]) and each != place[0]]
            if fits:
                found.append(value[: place.start()] + rnd.choice(fits) + value[place.end() :])
        return found[:3]


class OwnValues:
    """Literals of one test. Who accepts only what is made of a test's own words tells those from others, not among each other."""

    def __init__(self, literals: Iterable[tuple[int, str]]) -> None:
        self._literals = list(literals)

    def near(self, position: int) -> list[str]:
        """Return them, those first that stand next to a place."""
        return [text for _, text in sorted(self._literals, key=lambda each: abs(each[0] - position))]


def unlikely(value: str, rnd: random.Random) -> str:
    """Return a longer text that nothing holds by chance: conspicuous, for short ones that have to be found."""
    return value + "".join(rnd.sample("bdfghjkqvwxz", 5))


def typo(value: str, rnd: random.Random) -> str | None:
    """Exchange one letter or digit for another of its kind: conspicuous, for where nothing else is known."""
    places = [(at, kind) for at, letter in enumerate(value) for kind in _LETTERS if letter in kind]
    places = [(at, kind) for at, kind in places if at == 0 or value[at - 1] not in "\\%{$"]
    if not places:
        return None
    at, kind = rnd.choice(places)
    return value[:at] + rnd.choice([letter for letter in kind if letter != value[at]]) + value[at + 1 :]


def _neighbours(value: str, *, far: bool) -> list[str]:
    """Return the next numbers of the same form, as round as the value; if they have to be `far`, one more than twice as much.

    Work that believes what is smaller than its input, or a multiple of ten, must not tell all wrong values from the right one.
    """
    if far:
        decimals = len(value.partition(".")[2])
        return [f"{2 * Decimal(value) + 1:.{decimals}f}"]
    number = int(value)
    step = 10 ** (len(value) - len(value.rstrip("0"))) if number else 1
    return [str(each) for each in (number + step, number - step) if each > 0]


def _is_other_number(text: str, value: str, *, far: bool) -> bool:
    if re.fullmatch(r"\d+(\.\d+)?", text) is None or ("." in text) != ("." in value):
        return False
    old, new = float(value), float(text)
    return abs(new - old) > (2 * TOLERANCE * (1 + old + new) if far else 0)


def _alike(text: str, value: str) -> bool:
    """Tell whether a text has the form of another: the same signs between words and numbers, its capitals, about its length."""
    return (
        text.lower() != value.lower()
        and _form(text) == _form(value)
        and text[:1].isupper() == value[:1].isupper()
        and text.isupper() == value.isupper()
        and abs(len(text) - len(value)) <= max(3, len(value) // 2)
    )


def _form(text: str) -> str:
    return re.sub(r"[A-Za-z_]+", "a", re.sub(r"\d+", "0", text))
