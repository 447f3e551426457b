"""What a run would find missing is known before it is started, and looking for it starts nothing."""

from pathlib import Path

import pytest

from cooperbench.runner import RunRequest, make_plan
from cooperbench.runner.planning.preflight import preflight
from cooperbench.tasks import new_task
from cooperbench.testing.images import git, make_repository

pytestmark = pytest.mark.needs("sandbox")


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing was made ready."""
    for name in ("OPENAI_API_KEY", "COOPERBENCH_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def needs(place: Path, **asked: object) -> dict[str, str]:
    plan = make_plan(RunRequest(log_dir=place / "logs", backend="local", **asked))  # type: ignore[arg-type]
    return {check.name: check.detail for check in preflight(plan.config, plan.tasks) if not check.ok}


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_a_key_that_is_not_set(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs(nothing, subset="demo", model_name="gpt-4o") == {
        "mini_swe_agent with gpt-4o": "needs the environment variable OPENAI_API_KEY"
    }
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert not needs(nothing, subset="demo", model_name="gpt-4o")
    assert not needs(nothing, subset="demo", model_name="scripted/adapts")


def test_a_price_without_which_limits_of_cost_do_not_hold(nothing: Path) -> None:
    served = {"model": {"base_url": "http://localhost:8000/v1"}}
    found = needs(nothing, subset="demo", model_name="mine", config=served)
    assert found.keys() == {"mini_swe_agent with mine"}
    assert "a price (--price-table)" in found["mini_swe_agent with mine"]


def test_images_that_nobody_has_built(nothing: Path) -> None:
    make_repository(nothing / "clone", {"a.py": "1\n"})
    commit = git(nothing / "clone", "rev-parse", "HEAD")
    new_task(
        nothing / "data", "mine", repository=nothing / "clone", commit=commit, test="true", setup="true", features=2
    )
    found = needs(nothing, dataset_dir=nothing / "data", agent="nop")
    assert found.keys() == {"images"}
    assert "mine" in found["images"]
    assert not (nothing / "cache").exists()


def test_an_engine_that_is_away(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{nothing}/nobody.sock")
    plan = make_plan(RunRequest(subset="demo", agent="nop", log_dir=nothing / "logs", backend="docker"))
    assert [check.name for check in preflight(plan.config, plan.tasks) if not check.ok] == ["engine"]
