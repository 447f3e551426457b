"""Find tests in sources and the edits that break them: one module for each language."""

from collections.abc import Callable
from pathlib import PurePosixPath

from cooperbench.evaluation.falsification.edits import TestFunction
from cooperbench.evaluation.falsification.languages.python import python_tests
from cooperbench.evaluation.falsification.vocabulary import Vocabulary

Finder = Callable[[str, bytes, Vocabulary], list[TestFunction]]


def _go(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    from cooperbench.evaluation.falsification.languages.go import go_tests  # grammars are loaded where they are needed

    return go_tests(path, source, vocabulary)


def _javascript(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    from cooperbench.evaluation.falsification.languages.javascript import javascript_tests

    return javascript_tests(path, source, vocabulary)


def _rust(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    from cooperbench.evaluation.falsification.languages.rust import rust_tests

    return rust_tests(path, source, vocabulary)


_JAVASCRIPT = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts")
_FINDERS: dict[str, Finder] = {".py": python_tests, ".go": _go, ".rs": _rust, **dict.fromkeys(_JAVASCRIPT, _javascript)}


def can_break(path: str) -> bool:
    """Tell whether tests in a file of this name can be found."""
    return PurePosixPath(path).suffix in _FINDERS


def find_tests(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    """List the tests of a source, with the edits that may break each. Empty for languages that are not known."""
    finder = _FINDERS.get(PurePosixPath(path).suffix)
    return finder(path, source, vocabulary) if finder else []
