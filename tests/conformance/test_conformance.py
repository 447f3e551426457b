"""`pytest tests/conformance [--backend NAME]`: the same behaviour everywhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.testing.conformance import CommandConformance, LifecycleConformance, ProgramConformance, Subject
from tests.conformance.subjects import SUBJECTS, WHEN_NAMED
from tests.needs import PODMAN


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "subject" not in metafunc.fixturenames:
        return
    wanted: list[str] | None = metafunc.config.getoption("backend", default=None)
    usual = [name for name in SUBJECTS if name not in WHEN_NAMED]
    names = [name for name in usual if wanted is None or name.partition("-")[0] in wanted or name in wanted]
    names += [name for name in WHEN_NAMED if name in (wanted or ())]
    cases = []
    for name in names:
        marks = [pytest.mark.docker] if name not in ("local", "kubernetes") else []
        if name.startswith("local") or name == "kubernetes":
            marks.append(pytest.mark.needs("sandbox"))
        if metafunc.cls is TestLifecycle or name == "kubernetes":
            marks.append(pytest.mark.slow)
        if name not in ("local", "docker"):
            marks.append(pytest.mark.ci)
        if name == "gcp":  # one machine for all of them
            marks.append(pytest.mark.xdist_group(name))
        elif metafunc.cls is TestCommands:  # one sandbox
            marks.append(pytest.mark.xdist_group(f"{metafunc.cls.__name__}-{name}"))
        cases.append(pytest.param(name, marks=marks))
    metafunc.parametrize("subject", cases, indirect=True, scope="module")


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "podman":
            patch.setenv("DOCKER_HOST", f"unix://{PODMAN}")
        yield SUBJECTS[request.param](request)


@pytest.fixture(scope="module")
def third_party_installed() -> Iterator[None]:
    """The package of another author, for this process and those that it starts."""
    package = Path(__file__).with_name("third_party")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(package)
        patch.setenv("PYTHONPATH", str(package))
        yield


class TestCommands(CommandConformance, ProgramConformance):
    """In one sandbox."""


class TestLifecycle(LifecycleConformance):
    pass
