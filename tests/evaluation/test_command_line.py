"""`cooperbench eval` as a user types it, with a model's provider that is a server of these tests."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cooperbench import runner
from cooperbench.errors import UsageError
from cooperbench.records import EpisodeDirectory, Evaluation, Outcome, StageStatus, read_model
from tests.agents.standin_llm import Answer, StandIn, fails, says, serve
from tests.command_line import Said, cooperbench

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow, pytest.mark.xdist_group("eval-command")]

MARKERS = ("<<<<<<<", "=======", ">>>>>>>")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose two gold patches conflict, and whose union does not pass."""
    folder = tmp_path_factory.mktemp("logs")
    said = cooperbench(
        *("run", "-n", "pair", "-s", "demo", "-a", "gold", "-r", "ledgerkit", "-f", "4,5", "--no-auto-eval"),
        *("--log-dir", str(folder)),
    )
    assert said.code == 0, said.err
    return folder


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with serve(keep_both_sides) as stand_in:
        yield stand_in


def keep_both_sides(request: dict[str, Any]) -> Answer:
    text = request["messages"][0]["content"].split("```\n", 1)[1].rsplit("```", 1)[0]
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith(MARKERS)]
    return says("Both sides are kept.\n```python\n" + "".join(kept) + "```\n")


def evaluate(logs: Path, *arguments: str, **env: str) -> Said:
    return cooperbench("eval", "-n", "pair", "--log-dir", str(logs), "--json", *arguments, env=env)


def read(logs: Path) -> tuple[Evaluation, EpisodeDirectory]:
    (path,) = logs.rglob("eval.json")
    return read_model(path, Evaluation), EpisodeDirectory(path.parent)


def test_a_model_settles_what_git_cannot_and_nothing_runs_twice(logs: Path, provider: StandIn) -> None:
    assert evaluate(logs).code in (0, 1)
    first, _ = read(logs)
    assert [stage.name for stage in first.stages][:2] == ["naive", "union"]
    assert first.verdict.outcome is Outcome.MERGE_CONFLICT

    prices = logs.parent / "prices.yaml"
    prices.write_text("small-model: {input: 100, output: 1000}\n")
    model = ("--resolver-model", "small-model", "--base-url", provider.url, "--price-table", str(prices))
    resolver = ("--policy", "cascade", *model)
    said = evaluate(logs, *resolver, "--api-key-env", "RESOLVER_KEY", RESOLVER_KEY="sk-of-the-test")
    assert said.code in (0, 1), said.err
    assert {request["temperature"] for request in provider.requests} == {0.0}
    assert {request["model"] for request in provider.requests} == {"small-model"}
    assert set(provider.keys) == {"Bearer sk-of-the-test"}
    second, directory = read(logs)
    stage = next(stage for stage in second.stages if stage.name == "resolver")
    assert (stage.status, stage.resolver) == (StageStatus.CLEAN, "small-model, temperature 0")
    assert len(stage.suites) == 2
    assert second.verdicts["cascade@1"].stage == "resolver"
    assert second.verdict == first.verdict
    assert (directory.path / str(stage.merged_patch)).read_bytes()
    singles = [stage for stage in first.stages if stage.name.startswith("single:")]
    assert [stage for stage in second.stages if stage.name.startswith("single:")] == singles  # to the millisecond

    asked = len(provider.requests)
    assert runner.read_run("pair", logs).summary.wasted_cost == pytest.approx(
        0.2 * asked
    )  # 1,000 tokens in and 100 out each
    assert evaluate(logs, *resolver).code in (0, 1)
    assert evaluate(logs, "--policy", "union").code in (0, 1)
    third, _ = read(logs)
    assert len(provider.requests) == asked
    assert (third.stages, third.verdicts) == (second.stages, second.verdicts)
    assert third.evaluated_at == second.evaluated_at


@pytest.mark.ci
def test_a_model_that_fails_is_no_verdict_about_the_work(logs: Path) -> None:
    with serve(fails(401, "no such key")) as stand_in:
        model = ("--resolver-model", "other-model", "--base-url", stand_in.url)
        said = evaluate(logs, "--policy", "cascade", *model, "--singles", "none", "--force")
    evaluation, _ = read(logs)
    assert evaluation.verdict.outcome is Outcome.MERGE_CONFLICT
    assert evaluation.verdicts["cascade@1"].outcome is Outcome.INFRA_ERROR, said.err
    assert "401" in evaluation.verdicts["cascade@1"].features[0].reason
    assert evaluation.stages[0].status is StageStatus.CONFLICT  # what needs no model is there
    assert evaluate(logs, "--policy", "naive", "--singles", "none").code in (0, 1)
    again, _ = read(logs)
    assert (again.verdict.outcome, again.stages) == (Outcome.MERGE_CONFLICT, evaluation.stages)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--policy", "cascade"), ("cascade@1 needs a model that settles conflicts", "--resolver-model MODEL")),
        (("--base-url", "http://127.0.0.1:9/v1"), ("need --resolver-model",)),
        (("--time-limit", "0"), ("--time-limit",)),
        (("--install", "never"), ("once", "always")),
    ],
)
def test_what_cannot_be_meant_is_said_at_once(logs: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    said = evaluate(logs, *arguments)
    assert said.code == 2
    assert all(word in said.out + said.err for word in words), said


def test_the_same_from_python(logs: Path) -> None:
    with pytest.raises(UsageError, match="cascade@1 needs a model"):
        runner.evaluate("pair", policy="cascade", log_dir=logs)
    with pytest.raises(UsageError, match="time_limit"):
        runner.evaluate("pair", time_limit=0, log_dir=logs)
    result = runner.evaluate("pair", singles="none", install="always", recount=True, time_limit=200, log_dir=logs)
    assert result.episodes[0].evaluation is not None
    evaluation, _ = read(logs)
    assert [stage.name for stage in evaluation.stages] == ["naive", "union"]


def test_run_refuses_a_policy_that_lacks_its_model(tmp_path: Path) -> None:
    said = cooperbench("run", "-s", "demo", "-a", "nop", "--policy", "cascade", "--log-dir", str(tmp_path / "logs"))
    assert said.code == 2
    assert "--resolver-model MODEL" in said.out + said.err
    assert not list(tmp_path.rglob("result.json"))


def test_other_choices_make_another_evaluation(logs: Path) -> None:
    assert evaluate(logs, "--singles", "all", "--install", "always", "--time-limit", "300").code in (0, 1)
    evaluation, _ = read(logs)
    singles = [stage for stage in evaluation.stages if stage.name.startswith("single:")]
    assert [len(stage.suites) for stage in singles] == [2, 2]
    assert evaluate(logs, "--singles", "none").code in (0, 1)
    bare, _ = read(logs)
    assert bare.key != evaluation.key
    assert [stage.name for stage in bare.stages] == ["naive", "union"]


def test_installing_always_is_no_verdict_of_installing_once(logs: Path) -> None:
    assert evaluate(logs, "--singles", "none").code in (0, 1)
    once, _ = read(logs)
    assert evaluate(logs, "--singles", "none", "--install", "always").code in (0, 1)
    always, _ = read(logs)
    assert (once.choices.install, always.choices.install) == ("once", "always")
    assert once.key != always.key
    assert once.evaluated_at != always.evaluated_at


def test_wrong_hunk_counts_are_repaired_on_request_only(logs: Path) -> None:
    assert evaluate(logs, "--singles", "none").code in (0, 1)
    _, directory = read(logs)
    patch = next(path for path in directory.path.glob("*.patch") if not path.name.startswith("merged_"))
    good = patch.read_bytes()
    head, separator, tail = good.partition(b"\n@@ -")
    old, comma, rest = tail.partition(b",")
    wrong = head + separator + old + comma + b"9" + rest  # the second number now begins with a nine
    result = directory.result.read_text()
    patch.write_bytes(wrong)
    was, now = (hashlib.sha256(content).hexdigest() for content in (good, wrong))
    directory.result.write_text(result.replace(was, now))  # as an agent would have handed it in
    try:
        assert evaluate(logs, "--singles", "none").code in (0, 1)
        assert read(logs)[0].verdict.outcome is Outcome.PATCH_REJECTED
        assert evaluate(logs, "--singles", "none", "--recount").code in (0, 1)
        repaired, _ = read(logs)
        assert repaired.verdict.outcome is Outcome.MERGE_CONFLICT
        assert len(repaired.recounted) == 1
    finally:
        patch.write_bytes(good)
        directory.result.write_text(result)
