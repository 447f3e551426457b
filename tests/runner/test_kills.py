"""kill -9 at random moments: no finished episode is lost or run twice, nothing is unreadable, and verdicts are the same.

The number of kills is $COOPERBENCH_KILLS, 5 by default; docs/design/runner.md says how many were done by hand.
"""

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cooperbench.records import EpisodeResult, EpisodeStatus, GroupKey, Outcome, read_model, utc_now
from cooperbench.runner import read_run

KILLS = int(os.environ.get("COOPERBENCH_KILLS", "5"))
SEED = int(os.environ.get("COOPERBENCH_SEED", "1"))
# All 36 pairs with their evaluation take minutes; by default it is 15 pairs without.
SCOPE = [] if KILLS >= 40 else ["-r", "ledgerkit", "--no-auto-eval"]


@pytest.mark.slow
@pytest.mark.timeout(300 + 20 * KILLS)
def test_a_run_survives_being_killed_at_any_moment(
    surroundings: Path, cooperbench: Callable[..., subprocess.Popen[str]]
) -> None:
    moments = random.Random(SEED)
    begun = utc_now()
    run_to_the_end("undisturbed", cooperbench)
    ends = [episode.result.ended_at for episode in read_run("undisturbed", surroundings).episodes if episode.result]
    # Some lives end before anything has started, most in the middle of episodes, others between them.
    longest_life = 2 * (min(ends) - begun).total_seconds()
    finished: dict[Path, tuple[int, bytes]] = {}
    for _ in range(KILLS):
        with cooperbench(*command("killed")) as process:
            try:
                process.communicate(timeout=moments.uniform(0.2, longest_life))
            except subprocess.TimeoutExpired:
                process.kill()
        now = finished_episodes(surroundings / "killed")
        assert not [path for path, content in finished.items() if now.get(path) != content], "lost, or run again"
        finished = now
    run_to_the_end("killed", cooperbench)
    at_the_end = finished_episodes(surroundings / "killed")
    assert {path: at_the_end[path] for path in finished} == finished
    assert read_run("killed", surroundings).complete
    assert verdicts("killed", surroundings) == verdicts("undisturbed", surroundings)
    assert not list(surroundings.rglob(".work"))


def run_to_the_end(name: str, cooperbench: Callable[..., subprocess.Popen[str]]) -> None:
    with cooperbench(*command(name)) as process:
        output, _ = process.communicate()
        assert process.returncode == 0, output


def command(name: str) -> list[str]:
    return ["run", "-s", "demo", *SCOPE, "-a", "gold", "-n", name, "-c", "3", "--eval-concurrency", "2"]


def finished_episodes(log_dir: Path) -> dict[Path, tuple[int, bytes]]:
    """The results that may never change again; every result there is can be read."""
    results = {path: read_model(path, EpisodeResult) for path in log_dir.rglob("result.json")}
    finished = [path for path, result in results.items() if result.status is EpisodeStatus.COMPLETED]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in finished}


def verdicts(name: str, log_dir: Path) -> dict[GroupKey, Outcome | None]:
    episodes = read_run(name, log_dir).episodes
    return {each.group: each.evaluation.verdict.outcome if each.evaluation else None for each in episodes}
