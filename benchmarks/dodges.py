"""Ways in which an agent breaks its own sandbox, on every backend: what becomes of its work.

    python benchmarks/dodges.py [--backend docker --backend gcp ...] [--only WORD]

The ways are those of `tests/environments/dodges.py`. Clouds and clusters are the stand-ins of the tests. Prints a Markdown table:

- `work kept`: the work is captured;
- `empty`: nothing is left, and an empty submission is judged;
- `work lost`: the work is there, but the backend cannot look at a sandbox from outside, so an empty submission is judged;
- `infra_error`: the work is not judged at all, which no agent may bring about.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BACKENDS = ("local", "docker", "gcp", "modal", "kubernetes")


class Table:
    """Collects what the tests saw, and nothing of what they print."""

    def __init__(self, backends: list[str], only: str) -> None:
        self._backends = backends
        self._only = only
        self.words: dict[str, dict[str, str]] = defaultdict(dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Choose what was asked for."""
        items[:] = [
            item
            for item in items
            if item.callspec.params["backend"] in self._backends and self._only in item.callspec.params["name"]
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a result, also one that a test does not accept."""
        for name, value in report.user_properties:
            if report.when == "call" and name == "dodge":
                backend, dodge, word, detail = value  # type: ignore[misc] # pytest takes any object
                self.words[dodge][backend] = word
                print(f"{backend}: {dodge}: {word} {detail[:100]}", file=sys.stderr)

    def show(self) -> None:
        """Print the table; a way that was not tried has a dash."""
        backends = self._backends
        print("|".join(["", " way ", *(f" {backend} " for backend in backends), ""]))
        print("|---" * (len(backends) + 1) + "|")
        for dodge, row in self.words.items():
            print("|".join(["", f" {dodge} ", *(f" {row.get(backend, '-')} " for backend in backends), ""]))
        own = [
            sum(row.get(backend, "infra_error") != "infra_error" for row in self.words.values()) for backend in backends
        ]
        tried = [sum(backend in row for row in self.words.values()) for backend in backends]
        print("|".join(["", " own result ", *(f" {a} of {b} " for a, b in zip(own, tried, strict=True)), ""]))


def main() -> None:
    """Run the tests one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--only", default="", help="only ways with this word in their names")
    options = parser.parse_args()
    table = Table(options.backend or list(BACKENDS), options.only)
    with tempfile.TemporaryFile("w+") as unread:
        shown, sys.stdout = sys.stdout, unread
        try:
            pytest.main(
                ["--extensive", "--rootdir", str(ROOT), str(ROOT / "tests/environments/test_dodges.py")],
                plugins=[table],
            )
        finally:
            sys.stdout = shown
            table.show()


if __name__ == "__main__":
    main()
