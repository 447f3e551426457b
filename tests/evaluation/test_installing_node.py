"""Installing by npm once for each image, seen in a container with the real npm."""

from dataclasses import replace
from pathlib import Path

import pytest

from cooperbench.evaluation import score
from cooperbench.records import Install, Outcome, SuiteResult
from cooperbench.tasks import Task
from tests.evaluation.languages import TYPESCRIPT, make_task
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.ci, pytest.mark.xdist_group("npm")]

MANIFEST = b"""{
  "name": "basket",
  "version": "1.0.0",
  "private": true,
  "scripts": {"test": "jest"},
  "dependencies": {"rates": "file:vendor/rates"}
}
"""
BASKET = replace(
    TYPESCRIPT,
    base={
        **TYPESCRIPT.base,
        "package.json": MANIFEST,
        ".gitignore": b"node_modules\npackage-lock.json\n",
        "vendor/rates/package.json": b'{"name": "rates", "version": "1.0.0"}\n',
        "vendor/rates/index.js": b"module.exports = 9;\n",
    },
)
INSTALL = "npm install --offline --no-audit --no-fund"
TEST = f"{INSTALL}\njest --ci -- tests"
ANSWER = "already installed in this image"


@pytest.fixture(scope="module")
def basket(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Checkout]:
    return make_task(BASKET, tmp_path_factory.mktemp("basket"), "basket_npm", TEST, INSTALL)


@pytest.fixture(scope="module")
def once(basket: tuple[Task, Checkout]) -> SuiteResult:
    """The gold patch's tests; by now it is known what installing does."""
    task, _ = basket
    return suite(task, task.features[1].gold_patch)


def suite(task: Task, patch: bytes, install: Install = "once") -> SuiteResult:
    evaluation = score(
        task, {1: patch}, backend="docker", network="none", time_limit=120, install=install, falsify="off"
    )
    assert evaluation.error is None, evaluation.error
    return evaluation.stages[0].suites[0]


def test_what_is_installed_is_not_installed_again(basket: tuple[Task, Checkout], once: SuiteResult) -> None:
    task, _ = basket
    always = suite(task, task.features[1].gold_patch, "always")
    assert (once.outcome, always.outcome) == (Outcome.PASSED, Outcome.PASSED)
    assert ANSWER in once.output_tail
    assert ANSWER not in always.output_tail
    assert once.tests == always.tests


def test_a_changed_manifest_is_installed(basket: tuple[Task, Checkout], once: SuiteResult) -> None:
    task, checkout = basket
    changed = checkout.patch(
        {BASKET.source: BASKET.changed(count=False), "package.json": MANIFEST.replace(b"1.0.0", b"1.1.0")}
    )
    result = suite(task, changed)
    assert result.outcome is Outcome.PASSED, result
    assert ANSWER not in result.output_tail


def test_what_the_image_lacks_is_installed_each_time(tmp_path: Path) -> None:
    task, _ = make_task(BASKET, tmp_path, "basket_bare", TEST)
    for _ in range(2):
        result = suite(task, task.features[1].gold_patch)
        assert result.outcome is Outcome.PASSED, result
        assert ANSWER not in result.output_tail
