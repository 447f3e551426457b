"""What a run would find missing is known before it is started, and refused before anything is written."""

import socket
from pathlib import Path

import pytest

from cooperbench.errors import UsageError
from cooperbench.runner import RunRequest, make_plan, run
from cooperbench.runner.planning.preflight import preflight
from cooperbench.tasks import new_task
from cooperbench.testing.images import git, make_repository
from tests.command_line import cooperbench
from tests.runner.parts import new_file

pytestmark = pytest.mark.needs("sandbox")


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing was made ready."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "COOPERBENCH_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def needs(place: Path, **asked: object) -> dict[str, str]:
    plan = make_plan(RunRequest(log_dir=place / "logs", backend="local", **asked))  # type: ignore[arg-type]
    return {check.name: check.detail for check in preflight(plan.config, plan.tasks) if not check.ok}


KEYS = {
    "": "needs the environment variable OPENAI_API_KEY",
    "sk-...": "a placeholder",
    "your-key": "a placeholder",
    "'sk-abc'": "quotation marks",
    "sk-abc def": "a space",
    "sk-abc\n": "a line break",
    "AIzaSyNotOfThisProvider": "does not begin with sk-",
}


@pytest.mark.needs("litellm")
@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_cannot_be_right_is_refused_before_anything_is_written(
    key: str, nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    found = needs(nothing, subset="demo", model_name="gpt-4o")
    assert KEYS[key] in found["the model gpt-4o"]
    for command in (
        ["run", "-a", "mini_swe_agent", "-m"],
        ["run", "-a", "gold", "--policy", "cascade", "--resolver-model"],
    ):
        said = cooperbench(*command, "gpt-4o", "-s", "demo", "--log-dir", "logs", cwd=nothing)
        assert said.code == 2
        assert KEYS[key] in said.err.splitlines()[0]
        assert "OPENAI_API_KEY" in said.err.splitlines()[1]
        assert len(said.err.splitlines()) == 2
        assert len(key) < 5 or key not in said.err
    assert not list(nothing.iterdir())


@pytest.mark.needs("litellm")
def test_a_key_that_may_be_right(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert not needs(nothing, subset="demo", model_name="gpt-4o")
    monkeypatch.setenv("OPENAI_API_KEY", "of-a-gateway")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway/v1")
    assert not needs(nothing, subset="demo", model_name="gpt-4o")
    assert not needs(nothing, subset="demo", model_name="scripted/adapts")


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gtp-4o", "did you mean 'gpt-4o'?"),
        ("opnai/gpt-4o", "did you mean 'openai/gpt-4o'?"),
        ("cerebras/some", "needs the environment variable CEREBRAS_API_KEY"),
    ],
)
def test_a_model_that_only_litellm_knows(model: str, said: str, nothing: Path) -> None:
    assert said in needs(nothing, subset="demo", model_name=model)[f"the model {model}"]


def test_a_price_without_which_limits_of_cost_do_not_hold(nothing: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    served = {"model": {"base_url": f"http://127.0.0.1:{listening.getsockname()[1]}/v1"}}
    plan = make_plan(RunRequest(subset="demo", model_name="mine", config=served, log_dir=nothing / "logs"))
    found = [check for check in preflight(plan.config, plan.tasks) if check.name == "the model mine"]
    listening.close()
    assert [check.ok for check in found] == [True]
    assert "--price-table" in found[0].detail


def test_a_model_server_that_is_not_there(nothing: Path) -> None:
    said = cooperbench(
        "run", "-s", "demo", "-m", "mine", "--base-url", "http://127.0.0.1:9/v1", "--log-dir", "logs", cwd=nothing
    )
    assert said.code == 2
    assert said.err == (
        "error: the run cannot start: the model mine: no server answers at http://127.0.0.1:9/v1: Connection refused\n"
        "  try: start the server, or correct --base-url\n"
    )
    assert not list(nothing.iterdir())


def test_images_that_nobody_has_built(nothing: Path) -> None:
    make_repository(nothing / "clone", {"a.py": "1\n"})
    commit = git(nothing / "clone", "rev-parse", "HEAD")
    new_task(
        nothing / "data", "mine", repository=nothing / "clone", commit=commit, test="true", setup="true", features=2
    )
    for patch in (nothing / "data").rglob("*.patch"):
        patch.write_text(new_file("a.txt", "a\n"))
    found = needs(nothing, dataset_dir=nothing / "data", agent="nop")
    assert found.keys() == {"images"}
    assert "mine" in found["images"]
    said = cooperbench("run", "-a", "nop", "--backend", "local", "--dataset-dir", "data", cwd=nothing)
    assert said.code == 2
    assert "cooperbench images build cooperbench-mine:task1 --backend local --dataset-dir" in said.err.splitlines()[1]
    assert not (nothing / "logs").exists()
    assert not (nothing / "cache").exists()


def test_an_engine_that_is_away(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{nothing}/nobody.sock")
    plan = make_plan(RunRequest(subset="demo", agent="nop", log_dir=nothing / "logs", backend="docker"))
    assert [check.name for check in preflight(plan.config, plan.tasks) if not check.ok] == ["engine"]
    with pytest.raises(UsageError, match="no Docker engine answers"):
        run("first", "nop", subset="demo", log_dir=nothing / "logs", backend="docker")
    assert not list(nothing.iterdir())


def test_evaluating_without_an_engine(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("first", "nop", subset="demo", repo="shelfdb", features=(1, 2), log_dir=nothing / "logs", auto_eval=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{nothing}/nobody.sock")
    said = cooperbench("eval", "-n", "first", "--log-dir", "logs", "--backend", "docker", cwd=nothing)
    assert said.code == 2
    assert said.err.startswith("error: the evaluation cannot start: engine: no Docker engine answers\n  try: ")
