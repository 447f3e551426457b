"""Failures that are not the agents': classified, repeated where that can help, and never scored."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cooperbench.errors import UsageError
from cooperbench.records import Ending, EpisodeStatus, Limits
from cooperbench.runner import Plan, RunRequest, RunResult, SessionOptions, execute, make_plan, preview, read_run, run
from cooperbench.runner.engine.observer import Silent

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]


def script(path: Path, turns: list[dict[str, object]]) -> str:
    path.write_text(yaml.safe_dump({"members": dict.fromkeys(("agent1", "agent2", "solo"), turns)}))
    return f"scripted/{path}"


SUBMIT: dict[str, object] = {"text": "Done.", "tool_calls": [{"name": "submit", "arguments": {}}]}
LOOK: dict[str, object] = {"text": "Look.", "tool_calls": [{"name": "bash", "arguments": {"command": "true"}}]}


def play(log_dir: Path, turns: list[dict[str, object]], **more: object) -> RunResult:
    arguments = {"subset": "demo", "repo": "ledgerkit", "log_dir": log_dir, "auto_eval": False} | more
    return run("exp", model_name=script(log_dir.parent / "script.yaml", turns), **arguments)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_wrong_key_stops_the_run_early(surroundings: Path) -> None:
    ended = play(surroundings, [{"error": 401}] * 20, concurrency=2)
    assert ended.stopped.startswith("every episode fails with ModelAuthenticationError: ")
    assert ended.summary.completed == 0
    assert 5 <= ended.summary.infra_errors < ended.summary.planned
    failed = next(episode.result for episode in ended.episodes if episode.result)
    assert failed.status is EpisodeStatus.INFRA_ERROR
    assert failed.error is not None
    assert (failed.error.boundary, failed.error.retryable) == ("model", False)


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "kind"), [(404, "ModelNotFoundError"), (400, "ModelRequestError"), ("unreadable", "ModelAnswerError")]
)
def test_a_model_that_cannot_be_called_is_nobodys_result(surroundings: Path, error: object, kind: str) -> None:
    """A wrong name, an option that the provider does not take, a proxy's page: nothing is scored, and the run stops."""
    ended = play(surroundings, [{"error": error}] * 20, setting="solo", concurrency=2, retries=0)
    assert ended.stopped.startswith(f"every episode fails with {kind}: ")
    assert ended.summary.completed == 0


@pytest.mark.slow
def test_a_model_that_never_answers_is_not_the_agents_timeout(surroundings: Path) -> None:
    [episode] = play(
        surroundings, [{**SUBMIT, "delay": 600}], features=(1, 2), retries=0, limits=Limits(wall_time=3)
    ).episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.INFRA_ERROR
    assert episode.result.error is not None
    assert (episode.result.error.boundary, episode.result.error.kind) == ("model", "ModelOverloadedError")


def test_a_request_that_is_refused_later_is_what_the_agent_made_of_it(surroundings: Path) -> None:
    [episode] = play(surroundings, [LOOK, {"error": 400}], features=(1, 2)).episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.COMPLETED
    assert {member.ending for member in episode.result.agents.values()} == {Ending.ERROR}


@pytest.mark.slow
def test_the_runs_money_is_a_limit_and_more_of_it_goes_on(surroundings: Path) -> None:
    turns = [{**LOOK, "cost": 1.0}, {**LOOK, "cost": 1.0}, {**SUBMIT, "cost": 1.0}]
    ended = play(surroundings, turns, features=(1, 2), max_cost=3.0)
    assert "the run's cost limit of $3 is reached" in ended.stopped
    [episode] = ended.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.INTERRUPTED
    assert episode.result.total_cost is not None
    assert 3.0 <= episode.result.total_cost <= 4.0  # at most one call of each agent over it
    assert (ended.summary.total_cost, ended.summary.wasted_cost) == (0, episode.result.total_cost)
    captured = [path.read_bytes() for path in sorted(episode.directory.glob("*.patch"))]
    with pytest.raises(UsageError, match=r"of this run's \$3\.00 are spent, and 1 of its episodes are left"):
        play(surroundings, turns, features=(1, 2), max_cost=3.0)
    assert [path.read_bytes() for path in sorted(episode.directory.glob("*.patch"))] == captured
    again = play(surroundings, turns, features=(1, 2), max_cost=20.0)
    assert again.complete
    assert [member.ending for member in again.episodes[0].result.agents.values()] == [Ending.SUBMITTED] * 2  # type: ignore[union-attr]


@pytest.mark.slow
def test_the_money_of_attempts_that_came_to_nothing_is_not_forgotten(surroundings: Path) -> None:
    """Neither of a failed episode nor of one that is repeated by force; a limit that is given later counts both."""
    cut_off: list[dict[str, object]] = [{**LOOK, "cost": 1.0}, {"error": 401}]
    for lost in (1.0, 2.0):
        ended = play(surroundings, cut_off, setting="solo", features=(1, 2))
        assert (ended.summary.total_cost, ended.summary.wasted_cost) == (0, lost)
    done = play(surroundings, [{**SUBMIT, "cost": 0.5}], setting="solo", features=(1, 2), force=True)
    assert (done.summary.total_cost, done.summary.wasted_cost) == (0.5, 2.0)
    found = preview(*as_asked(surroundings, force=True, max_cost=3.0))
    assert (found.given_up, found.spent) == (1, 2.5)
    with pytest.raises(UsageError, match=r"\$2\.50 of this run's \$2\.50 are spent"):
        preview(*as_asked(surroundings, force=True, max_cost=2.5))


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_model_without_a_known_price_is_named_once(surroundings: Path) -> None:
    model = script(surroundings.parent / "script.yaml", [{**SUBMIT, "cost": None}])
    request = RunRequest(
        run_name="exp", model_name=model, subset="demo", repo="ledgerkit", features=(1, 2), log_dir=surroundings
    )
    observer = Notes()
    ended = execute(make_plan(request), SessionOptions(auto_eval=False), observer)
    assert ended.summary.total_cost is None
    assert [note for note in observer.notes if "is not known" in note] == [
        "the cost of scripted/script.yaml is not known, so cost limits do not apply to it; --price-table adds prices"
    ]


def as_asked(log_dir: Path, *, force: bool, max_cost: float) -> tuple[Plan, SessionOptions]:
    request = RunRequest(
        run_name="exp",
        model_name=f"scripted/{log_dir.parent / 'script.yaml'}",
        subset="demo",
        repo="ledgerkit",
        setting="solo",
        features=(1, 2),
        log_dir=log_dir,
        max_cost=max_cost,
    )
    return make_plan(request), SessionOptions(auto_eval=False, force=force)


def test_a_failure_of_the_sandbox_is_not_the_agents(surroundings: Path) -> None:
    """The sandbox is ended behind the agent's back, who takes no notice."""
    ended = run(
        "exp", "loses_its_sandbox", "none", subset="demo", repo="shelfdb", features=(1, 2), log_dir=surroundings,
        auto_eval=False, retries=0,
    )  # fmt: skip
    [episode] = ended.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.INFRA_ERROR
    assert episode.result.error is not None
    assert (episode.result.error.boundary, episode.result.error.kind) == ("environment", "SandboxLostError")


@pytest.mark.slow
def test_a_worker_killed_by_somebody_else_is_repeated_and_not_scored(surroundings: Path) -> None:
    ended = run(
        "exp", "is_killed_once", "none", setting="solo", subset="demo", repo="shelfdb", features=(1, 2),
        log_dir=surroundings, auto_eval=False,
    )  # fmt: skip
    [episode] = ended.episodes
    assert episode.result is not None
    assert (episode.result.status, episode.result.attempt) == (EpisodeStatus.COMPLETED, 2)
    assert [member.patch_lines for member in episode.result.agents.values()] == [1]


FULL_DISK = """
set -eu
mount -t tmpfs -o size=1m tmpfs {logs}
head -c 900k /dev/zero > {logs}/ballast
code=0
{python} -m cooperbench.cli.main run -s demo -r ledgerkit --setting solo -a nop -n exp --no-auto-eval -c 2 > first 2>&1 || code=$?
echo "first $code"
rm {logs}/ballast
mount -o remount,size=50m {logs}
code=0
{python} -m cooperbench.cli.main run -s demo -r ledgerkit --setting solo -a nop -n exp --no-auto-eval -c 2 > second 2>&1 || code=$?
echo "second $code"
cp -r {logs} kept
"""


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.needs("mounts")
def test_a_full_disk_stops_the_run_with_the_reason_and_room_lets_it_go_on(surroundings: Path) -> None:
    surroundings.mkdir()
    text = FULL_DISK.format(logs=surroundings, python=sys.executable)
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", text], capture_output=True, text=True, check=False)
    said = Path("first").read_text() if Path("first").exists() else done.stderr
    assert done.stdout.split("\n")[:2] == ["first 1", "second 0"], done.stderr + said
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert "the same command resumes the run" in said
    assert read_run("exp", Path("kept")).complete


FULL_CACHE = """
set -eu
mkdir cache
mount -t tmpfs -o size=60m tmpfs cache
export COOPERBENCH_CACHE_DIR=$PWD/cache
run() {{ {python} -m cooperbench.cli.main run -s demo -r ledgerkit --setting solo -c 2 --eval-concurrency 1 "$@"; }}
# Agents alone: nothing conflicts, so that a sandbox is needed for the verdict.
run -a gold -n warm -f 1,2 --no-auto-eval > warm 2>&1
head -c 100m /dev/zero > cache/ballast || true
# Room for the first file of a sandbox, and not for the second.
truncate -s -32K cache/ballast
code=0
run -a gold -n exp --no-auto-eval > first 2>&1 || code=$?
echo "first $code"
code=0
{python} -m cooperbench.cli.main eval -n warm > judged 2>&1 || code=$?
echo "judged $code"
rm cache/ballast
code=0
run -a gold -n exp --no-auto-eval > second 2>&1 || code=$?
echo "second $code"
"""


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.needs("mounts")
def test_a_full_disk_below_the_sandboxes_is_nobodys_result(surroundings: Path) -> None:
    text = FULL_CACHE.format(python=sys.executable)
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", text], capture_output=True, text=True, check=False)
    said = "".join(Path(name).read_text() for name in ("warm", "first", "judged", "second") if Path(name).exists())
    print(said)
    assert done.stdout.split("\n")[:3] == ["first 1", "judged 1", "second 0"], done.stderr + said
    first = Path("first").read_text()
    assert "stopped early: every episode fails with SandboxError" in first
    assert "No space left on device" in first
    assert "Traceback" not in said
    assert read_run("exp", surroundings).complete
    assert read_run("warm", surroundings).summary.evaluated == 0


def test_the_mailbox_comes_back_after_a_restart(surroundings: Path) -> None:
    """The first member kills the run's own broker; it is started again, and the message arrives."""
    ended = run(
        "exp", "kills_the_broker", "none", subset="demo", repo="shelfdb", features=(1, 2), log_dir=surroundings,
        auto_eval=False,
    )  # fmt: skip
    [episode] = ended.episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.COMPLETED, episode.result.error
    assert episode.result.messages == 1
