import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", action="append", help="Backends to test; all that answer here by default.")
