"""A run of many episodes, in each of which one agent does its worst: each costs its own episode, and nothing is left."""

import json
import math
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from cooperbench.records import Ending, EpisodeStatus, Limits, MemberResult
from cooperbench.runner import RunRequest, SessionOptions, execute, make_plan
from tests.runner.parts import write_parts
from tests.runner.test_misbehaviour import survivors

pytestmark = pytest.mark.needs("sandbox")

DISK = 8 << 20
"""Bytes that the record of such a run may have."""


class Case(NamedTuple):
    """What an agent does, with which arguments, and how its work must end."""

    agent: str
    arguments: dict[str, object]
    ending: Ending
    reason: str = ""
    kept: int = 1
    """Lines of its work that are still there."""


CASES = [
    # The limit on memory acts long before the five gigabytes are taken.
    Case("memory", {"megabytes": 5120}, Ending.CRASH, "more than 1200 MB"),
    Case("many_messages", {"count": 300_000}, Ending.SUBMITTED),
    Case("huge_file", {"megabytes": 256}, Ending.SUBMITTED),
    Case("fork", {"count": 100}, Ending.SUBMITTED),
    Case("fork_bomb", {}, Ending.SUBMITTED),
    Case("exit", {}, Ending.CRASH, "exited with code 7"),
    Case("segfault", {}, Ending.CRASH, "SIGSEGV"),
    Case("unprintable", {}, Ending.ERROR, "UnprintableError"),
    Case("long_error", {"megabytes": 100}, Ending.ERROR, "ValueError"),
    Case("recursion", {}, Ending.ERROR, "RecursionError"),
    Case("wrong_type", {}, Ending.ERROR, "dict"),
    Case("negative_cost", {}, Ending.ERROR, "AgentResult.cost is -1.0"),
    Case("result", {"cost": math.nan}, Ending.ERROR, "AgentResult.cost is nan"),
    Case("thread", {}, Ending.SUBMITTED),
    Case("no_cleanup", {}, Ending.SUBMITTED),
    Case("get_lost", {}, Ending.SUBMITTED),
    Case("print", {"megabytes": 256}, Ending.SUBMITTED),
    Case("remove_folder", {}, Ending.SUBMITTED),
    Case("command", {"command": "kill -9 -1"}, Ending.SUBMITTED),
    Case("command", {"command": "rm -rf .git /tmp/.c*; (while :; do kill -9 -1; done) &"}, Ending.SUBMITTED),
    Case("command", {"command": "rm -rf /workspace/repo"}, Ending.SUBMITTED, kept=0),
    # What only looks like an agent's deed may be the host's: never scored, and repeated if that is asked for.
    Case("close_files", {}, Ending.INFRA_ERROR),
    Case("break_python", {}, Ending.INFRA_ERROR, "this does not work any more"),
    Case("kill_parent", {}, Ending.INFRA_ERROR, "killed"),
]


def write_dataset(place: Path) -> Path:
    """A feature for each case, in a pair with the first one, whose member behaves well."""
    pairs = [(1, number) for number in range(2, len(CASES) + 2)]
    task = write_parts(place, len(CASES) + 1, pairs=pairs)
    (task.path / "feature1" / "feature.md").write_text("behave: testing/work {}\n")
    for (_, number), case in zip(pairs, CASES, strict=True):
        told = f"behave: testing/{case.agent} {json.dumps(case.arguments)}\n"
        (task.path / f"feature{number}" / "feature.md").write_text(told)
    return place


@pytest.mark.slow
@pytest.mark.ci
def test_each_costs_its_own_episode(surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOPERBENCH_EXTERNAL_AGENTS", "behaves_as_asked")
    sandboxes = Path(os.environ["COOPERBENCH_CACHE_DIR"]) / "sandboxes"
    before = set(sandboxes.glob("*"))
    request = RunRequest(
        run_name="sabotage",
        agent="behaves_as_asked",
        dataset_dir=write_dataset(tmp_path / "dataset"),
        subset="chosen",
        backend="local",
        limits=Limits(wall_time=120),
        log_dir=surroundings,
    )
    options = SessionOptions(auto_eval=False, agent_memory_mb=1200, concurrency=4, retries=0)
    result = execute(make_plan(request), options)
    assert not survivors()
    assert set(sandboxes.glob("*")) <= before
    wrong = []
    for episode in result.episodes:
        case = CASES[episode.group.features[1] - 2]
        assert episode.result is not None, case
        good, bad = episode.result.agents.values()
        if problem := judge(case, bad, good, episode.result.status):
            wrong.append(f"{case.agent}: {problem}; {bad.ending} {bad.error} / {good.ending} {good.error}")
    assert not wrong, "\n".join(wrong)
    assert sum(file.stat().st_size for file in surroundings.rglob("*") if file.is_file()) < DISK


def judge(case: Case, bad: MemberResult, good: MemberResult, status: EpisodeStatus) -> str:
    """What is wrong with how an episode ended, if anything is."""
    if bad.ending is not case.ending:
        return f"ended as {bad.ending}"
    if case.reason and (bad.error is None or case.reason not in bad.error.message):
        return "for another reason"
    if case.ending is Ending.INFRA_ERROR:
        return "" if status is EpisodeStatus.INFRA_ERROR else f"the episode is {status}"
    if good.ending is not Ending.SUBMITTED or good.patch_lines != 1:
        return "its teammate did not finish"
    if status is not EpisodeStatus.COMPLETED:
        return f"the episode is {status}"
    return "" if bad.patch_lines == case.kept else f"{bad.patch_lines} lines of work were kept"
