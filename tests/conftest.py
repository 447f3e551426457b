"""What several rooms share: stand-ins for providers, and what tests need of the host."""

import functools
import gc
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.environments import Environment, LocalEnvironment, SandboxLabels
from cooperbench.testing import sample_image
from tests.needs import CI, need

if TYPE_CHECKING:
    from tests.standins.gce import GceStandin
    from tests.standins.kubernetes import KubernetesStandin
    from tests.standins.modal import ModalStandin

pytest.register_assert_rewrite("cooperbench.testing.conformance")

# How long an example takes is the machine's business: with three suites on two cores one took more than the default 200 ms.
settings.register_profile("cooperbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cooperbench")

# What collecting makes stays to the end: looking through it for garbage was 1.4 of 4.8 s in each worker.
gc.disable()

# Runs of tests whose subject is something else: proving passes by broken tests would double the time of the whole suite. Tests of
# falsification ask for it.
os.environ.setdefault("COOPERBENCH_FALSIFY", "off")

# A shell that starts something in the background has it ignore Ctrl-C, and `nohup` a hang-up; tests send both to what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores, as tests wait a lot. Quick ones (`-n logical`) wait more than they compute, so twice as many.

    On two cores `make quick` takes 80 s with two workers and 64 s with four. The whole suite took 1,195 s with three; one of about that
    size took 1,343 s with four, and programs that tests wait for came too late.
    """
    cores = len(os.sched_getaffinity(0))
    return min(2 * cores if config.option.numprocesses == "logical" else cores + 1, 8)


MODULE_MARK = re.compile(r"^pytestmark = .*?\bmark\.(slow|docker|needs)\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules out that `-m` deselects as a whole, before they import what makes them slow."""
    if "not " in config.option.markexpr and collection_path.suffix == ".py":
        found = MODULE_MARK.search(collection_path.read_text(encoding="utf-8"))
        return True if found and f"not {found[1]}" in config.option.markexpr else None
    return None


@functools.cache
def makes_something_once(module: Path) -> bool:
    """Tell whether tests of a module share what one of its fixtures makes."""
    return 'scope="module"' in module.read_text(encoding="utf-8")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what runs in sandboxes, and give tests that share something to one worker, which makes it once."""
    if "image" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.needs("sandbox"))
    if not hasattr(item.config, "workerinput"):
        return
    if item.get_closest_marker("xdist_group") is None and makes_something_once(item.path):
        item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that tests ask for which take too long for every change."""
    parser.addoption("--ci", action="store_true", default=CI, help="run tests marked `ci` as well; the default in CI")
    parser.addoption("--extensive", action="store_true", help="run tests marked `extensive` as well")


def pytest_configure(config: pytest.Config) -> None:
    """Run a file that is named as CI does. Workers are always given names, and are told."""
    told = getattr(config, "workerinput", None)
    config.option.ci |= config.args_source is pytest.Config.ArgsSource.ARGS if told is None else told["ci"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker: it gets the arguments of the command line and no options."""
    node.workerinput["ci"] = node.config.option.ci


def pytest_report_header(config: pytest.Config) -> str:
    """Say what is left out."""
    return "" if config.option.ci else "without the tests marked `ci`, which take minutes: `--ci` runs them"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is too much for every change. With several workers, begin with what takes long: nobody waits for it in the end."""
    left_out = [name for name in ("ci", "extensive") if not config.getoption(name)]
    config.hook.pytest_deselected(items=[item for item in items if any(map(item.get_closest_marker, left_out))])
    items[:] = [item for item in items if not any(map(item.get_closest_marker, left_out))]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Collect garbage again, but not among the modules and tests that were collected."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ask for what a test needs before its fixtures are made."""
    if item.get_closest_marker("docker"):
        need("docker")
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            need(name)


KNOWN_OF_GOLD = ("references", "challenges")
"""Folders of the cache with runs of gold patches, addressed by all that they depend on."""


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Images, bases and references of these tests, made once and apart from the user's. Workers share what gold patches showed."""
    path = tmp_path_factory.mktemp("cache")
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in KNOWN_OF_GOLD:
            shared = tmp_path_factory.getbasetemp().parent / name
            shared.mkdir(exist_ok=True)
            (path / name).symlink_to(shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOPERBENCH_CACHE_DIR", str(path))
        yield path


@pytest.fixture(scope="session")
def image(cache: Path) -> str:
    """A local image with a small Python project."""
    need("sandbox")
    return sample_image(host_packages=("pytest",))


@pytest.fixture
def local(image: str) -> Iterator[LocalEnvironment]:
    """A running local sandbox."""
    with LocalEnvironment(image) as environment:
        yield environment


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A message broker of this test session."""
    with open_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def modal_standin() -> "Iterator[ModalStandin]":
    """A Modal workspace on loopback, with containers. One for the session: the SDK keeps one client for a process."""
    from tests.standins.modal import Containers, ModalStandin

    with ModalStandin(Containers()) as standin, pytest.MonkeyPatch.context() as patch:
        for name, value in standin.environment.items():
            patch.setenv(name, value)
        yield standin
        assert not standin.calls.unwritten, "the SDK called what the stand-in does not have"


@pytest.fixture(scope="session")
def gce_standin(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[GceStandin]":
    """A project at Compute Engine on loopback, whose machines are containers with sshd. What it leaves in the cache goes first."""
    from cooperbench.environments.gcp.pool import known_machines
    from tests.standins.gce import PROJECT, GceStandin

    with GceStandin() as standin, pytest.MonkeyPatch.context() as patch:
        for name, value in standin.environment.items():
            patch.setenv(name, value)
        config = tmp_path_factory.mktemp("gcp-config")
        (config / "config.toml").write_text("[gcp]\nidle_seconds = 300\nslots = 4\n")
        patch.setenv("COOPERBENCH_CONFIG_DIR", str(config))
        yield standin
        for folder in known_machines(PROJECT):  # lets the janitors go
            folder.remove()
        assert not standin.api.unwritten, "the SDK called what the stand-in does not have"


@pytest.fixture(scope="session")
def gcp_machine(gce_standin: "GceStandin") -> Iterator[None]:
    """A machine that one sandbox keeps in use, for all others of the run `conformance`: making one for each test took 5 s."""
    with Environment(
        "gcp",
        "cooperbench-test/sandbox",
        labels=SandboxLabels(run="conformance"),
        settings={"idle_seconds": "0"},
    ):
        yield


@pytest.fixture(scope="session")
def kubernetes_standin(cache: Path) -> "Iterator[KubernetesStandin]":
    """A cluster on loopback, whose pods are local sandboxes."""
    need("sandbox")
    need("k8s")
    from tests.standins.kubernetes import KubernetesStandin

    with KubernetesStandin() as standin, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(standin.kubeconfig))
        yield standin
        assert not standin.api.unwritten, "the client called what the stand-in does not have"
