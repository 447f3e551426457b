"""One browser for all tests of pages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.needs import need

if TYPE_CHECKING:
    from tests.viewer.browser import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Start the browser once; tests that use it belong to the group `browser`, so that one worker has it."""
    need("browser")
    from tests.viewer.browser import Browser

    opened = Browser()
    yield opened
    opened.close()
