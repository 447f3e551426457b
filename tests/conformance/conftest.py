import re

import pytest

from tests.conformance.subjects import COVERED_BY_OTHERS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", action="append", help="Backends to test; all that answer here by default.")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave what other subjects show to `--extensive`, and to who names a backend."""
    if not isinstance(item, pytest.Function) or item.config.getoption("backend", default=None):
        return
    given = item.callspec.params
    called = f"{item.originalname} {given.get('seconds', '')}".strip()
    if (covered := COVERED_BY_OTHERS.get(str(given.get("subject")))) and re.match(covered, called):
        item.add_marker(pytest.mark.extensive)
