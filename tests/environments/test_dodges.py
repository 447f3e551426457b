"""What an agent does to its own sandbox is its own result: its work is captured all the same, or is empty; no error ever voids it.

`benchmarks/dodges.py` tries every way on every backend; here each is tried on local sandboxes, and some on the others.
"""

from pathlib import Path

import pytest

from tests.conformance.subjects import SUBJECTS
from tests.environments.dodges import DODGES, judge

MARKS = {
    "local": [pytest.mark.needs("sandbox")],
    "kubernetes": [pytest.mark.needs("sandbox", "k8s"), pytest.mark.slow, pytest.mark.ci],
    "docker": [pytest.mark.docker, pytest.mark.slow, pytest.mark.ci],
    "gcp": [pytest.mark.docker, pytest.mark.slow, pytest.mark.ci, pytest.mark.xdist_group("gcp")],
    "modal": [pytest.mark.docker, pytest.mark.slow, pytest.mark.ci],
}
SAMPLE = (
    "repository removed",
    "pipes that git reads",
    "everything killed",
    "sleep replaced, everything killed",
    "all programs removed, everything killed",
)
FEW = ("pipes that git reads", "all programs removed, everything killed")
SEEN_INSIDE_ONLY = ("modal", "kubernetes")
"""Backends that cannot look at a sandbox from outside: there work is lost with the programs that read it."""


def cases() -> list[object]:
    """Each way on each backend. Most are left to the benchmark where a sandbox takes seconds."""
    return [
        pytest.param(
            backend,
            name,
            marks=[*marks, *([] if _in_tests(backend, name) else [pytest.mark.extensive, pytest.mark.slow])],
        )
        for backend, marks in MARKS.items()
        for name in DODGES
    ]


def _in_tests(backend: str, name: str) -> bool:
    sample = FEW if backend in SEEN_INSIDE_ONLY else SAMPLE
    return not DODGES[name].heavy and (backend == "local" or name in sample)


@pytest.mark.parametrize(("backend", "name"), cases())
def test_a_broken_sandbox_is_the_agents_result(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, name: str
) -> None:
    judged = judge(SUBJECTS[backend](request), DODGES[name], tmp_path / "store")
    request.node.user_properties.append(("dodge", (backend, name, *judged)))
    if backend in SEEN_INSIDE_ONLY or (backend == "local" and DODGES[name].for_root):
        assert judged.own, judged.detail
    else:
        assert judged.word == ("work kept" if DODGES[name].kept else "empty"), judged.detail
