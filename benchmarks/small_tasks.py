"""Small tasks for `evaluate.py` beside those of `tests/evaluation/languages.py`: a Python project, installed by pip or by uv.

Their images are made here. Packages come from the index that the base image of `make images` names, once; afterwards nothing needs a network.
"""

import subprocess
from dataclasses import replace
from pathlib import Path

from cooperbench.tasks import Group
from tests.evaluation.languages import LANGUAGES, Language, make_task

_WHEELS = """FROM cooperbench-test/base:latest
RUN pip download -q -d /wheels uv pytest setuptools wheel \\
    && pip install -q --break-system-packages --no-index --find-links /wheels uv
"""
_PROJECT = b"""[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "basket"
version = "1.0"
requires-python = ">=3.11"

[project.optional-dependencies]
dev = ["pytest"]

[tool.setuptools]
packages = ["basket"]

[tool.uv]
environments = ["sys_platform == 'linux' and python_full_version < '3.12'"]
"""
_TOTAL = b"""from basket import total


def test_total():
    assert total([1, 2]) == 3
"""
_DISCOUNT = b"""import pytest

from basket import discount


@pytest.mark.parametrize(("price", "expected"), [(100, 90), (200, 180), (0, 0)])
def test_tenth(price, expected):
    assert discount(price) == expected


def test_whole():
    assert discount(10) == 9


def test_negative():
    with pytest.raises(ValueError, match="negative"):
        discount(-1)
"""
_COUNT = b"""from basket import count


def test_two():
    assert count([4, 5]) == 2


def test_none():
    assert count([]) == 0


def test_kind():
    assert isinstance(count([1]), int)
    assert count([1]) == 1
"""
_PIP = "pip install -q -e . --no-build-isolation --no-deps --break-system-packages"
_UV = """export UV_FIND_LINKS=/wheels UV_OFFLINE=1 UV_NO_PROGRESS=1
uv venv -q --allow-existing .venv
uv pip install -q -e '.[dev]'"""

PYTHON = Language(
    toolchain="base",
    base={
        "pyproject.toml": _PROJECT,
        ".gitignore": b"*.egg-info/\n__pycache__/\n.venv/\nuv.lock\n",
        "basket/__init__.py": b'"""A basket."""\n\n\ndef total(prices):\n    """Add."""\n    return sum(prices)\n',
        "tests/test_total.py": _TOTAL,
    },
    source="basket/__init__.py",
    top=b'\ndef discount(price):\n    """Take a tenth off."""\n    if price < 0:\n        raise ValueError("negative")\n    return price * 9 // 10\n\n',
    bottom=b'\n\ndef count(prices):\n    """Count."""\n    return len(prices)\n',
    tests=({"tests/test_discount.py": _DISCOUNT}, {"tests/test_count.py": _COUNT}),
    command=f"{_PIP}\npython3 -m pytest -q tests",
    report="pytest-guard",
    required="test_whole",
    right=b"return price * 9 // 10",
    wrong=b"return price",
    quits=b"raise SystemExit(0)",
    no_test="python3 -m pytest -q -k no_such_test tests",
    more_tests=("tests/test_discount.py", b""),
    prepare=_PIP,
)
UV = replace(
    PYTHON,
    toolchain="uv",
    command=f"{_UV}\nuv run --extra dev pytest -q tests",
    prepare=_UV.replace("\n", " && ") + " && uv run --extra dev pytest -q tests",
)
SMALL = {**LANGUAGES, "python": PYTHON, "uv": UV}


def small_group(name: str, folder: Path) -> Group:
    """Make the task of a language, and its image."""
    if SMALL[name].toolchain == "uv":
        command = ["docker", "build", "-q", "-t", "cooperbench-test/uv:latest", "-"]
        subprocess.run(command, input=_WHEELS.encode(), check=True, stdout=subprocess.DEVNULL)
    task, _ = make_task(SMALL[name], folder, f"basket_{name}")
    return Group(task, tuple(task.features))
