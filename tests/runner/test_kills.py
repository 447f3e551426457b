"""kill -9 at random moments: no finished episode is lost or run twice, nothing is unreadable, and verdicts are the same.

$COOPERBENCH_KILLS is the number of kills and $COOPERBENCH_SEED what their moments and victims are drawn with. A kill strikes the
runner, which is started again with the same command, or one of the processes that it depends on: a worker, an evaluation, the
server that forks them, the broker of messages.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cooperbench.records import EpisodeResult, EpisodeStatus, GroupKey, Outcome, read_model, utc_now
from cooperbench.runner import read_run
from cooperbench.testing.conformance.commands import until
from tests.runner.parts import write_parts

pytestmark = pytest.mark.needs("sandbox")

KILLS = int(os.environ.get("COOPERBENCH_KILLS", "5"))
SEED = int(os.environ.get("COOPERBENCH_SEED", "193"))  # draws victims of all four kinds for the first five strikes
FEATURES = 10 if KILLS >= 100 else 6
PAIRS = None if KILLS >= 100 else [(1, 2), (1, 5), (2, 3), (2, 4), (3, 6)]
"""Some that pass, some that fail and one that conflicts; of all 45 pairs the long form of the test makes use."""
VICTIMS = {"runner": 5, "worker": 3, "server": 1, "broker": 1}
"""How often each is chosen."""
CommandLine = Callable[..., subprocess.Popen[str]]


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.timeout(300 + 15 * KILLS)
def test_a_run_survives_kills_at_any_moment(
    surroundings: Path, cooperbench: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    write_parts(tmp_path / "data", FEATURES, pairs=PAIRS)
    begun = utc_now()
    complete("undisturbed", cooperbench)
    ends = [episode.result.ended_at for episode in read_run("undisturbed", surroundings).episodes if episode.result]
    # Some strikes come before anything has started, most in the middle of episodes, others between them.
    pause = (min(ends) - begun).total_seconds()
    expected = verdicts("undisturbed", surroundings)
    assert len(set(expected.values())) == 3, "the scenarios pass, conflict and fail"
    drawn, struck, runs = random.Random(SEED), dict.fromkeys(VICTIMS, 0), 0
    while sum(struck.values()) < KILLS:
        name = f"killed-{(runs := runs + 1)}"
        kill_until_it_is_done(name, surroundings, cooperbench, drawn, struck, pause)
        finished = finished_episodes(surroundings / name)
        complete(name, cooperbench)
        at_the_end = finished_episodes(surroundings / name)
        assert {path: at_the_end[path] for path in finished} == finished, "lost, or run again"
        assert verdicts(name, surroundings) == expected
    print(f"{struck} in {runs} runs of {len(expected)} episodes")
    assert struck["runner"]
    assert not list(surroundings.rglob(".work"))
    with cooperbench("clean", "--json") as cleaning:
        assert not json.loads(cleaning.communicate()[0])["failures"]
    assert not list((tmp_path / "cache" / "sandboxes").glob("*"))
    assert until(lambda: not list(scratch.glob("cooperbench-*[!0-9]*")), 60), "temporary files are left"
    assert not [line for process in processes() if str(tmp_path) in (line := command_line(process))]


def kill_until_it_is_done(
    name: str,
    log_dir: Path,
    cooperbench: CommandLine,
    drawn: random.Random,
    struck: dict[str, int],
    pause: float,
) -> None:
    """Strike until there were enough kills, or until the run came to its end in spite of them."""
    finished: dict[Path, tuple[int, bytes]] = {}
    while sum(struck.values()) < KILLS:
        with cooperbench(*command(name)) as runner:
            alive = True
            while alive and sum(struck.values()) < KILLS:
                time.sleep(drawn.uniform(0.0, pause))  # the moment is the point, not a wait for something
                victim = drawn.choices(list(VICTIMS), list(VICTIMS.values()))[0]
                struck[victim] += strike(runner, victim)
                alive = runner.poll() is None and victim != "runner"
            runner.kill()
            output, _ = runner.communicate()
        now = finished_episodes(log_dir / name)
        assert not [path for path, content in finished.items() if now.get(path) != content], "lost, or run again"
        finished = now
        assert "Traceback" not in output, output
        if runner.returncode == 0:
            return


def strike(runner: "subprocess.Popen[str]", victim: str) -> int:
    """Kill one of the run's processes with -9; 0 when there was none of the kind at this moment."""
    if victim == "runner":
        if runner.poll() is None:
            runner.kill()
            return 1
        return 0
    parents = processes()
    servers = [process for process, parent in parents.items() if parent == runner.pid and is_fork_server(process)]
    found = {
        "server": servers,
        "worker": [process for process, parent in parents.items() if parent in servers],
        "broker": [process for process in parents if is_broker_of(process, runner.pid, parents)],
    }[victim]
    if not found:
        return 0
    with suppress(ProcessLookupError):
        os.kill(found[-1], signal.SIGKILL)
    return 1


def processes() -> dict[int, int]:
    """All living processes with their parents."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(entry.name)] = int(parent)
    return parents


def command_line(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def is_fork_server(process: int) -> bool:
    return "workers.fork_server" in command_line(process)


def is_broker_of(process: int, runner: int, parents: dict[int, int]) -> bool:
    program = command_line(process).partition(" ")[0]
    if not program.endswith(("redis-server", "valkey-server")):
        return False
    while process in parents and process != runner:
        process = parents[process]
    return process == runner


def complete(name: str, cooperbench: CommandLine) -> None:
    """One undisturbed session finishes everything."""
    with cooperbench(*command(name)) as process:
        output, _ = process.communicate()
        assert process.returncode == 0, output


def command(name: str) -> list[str]:
    chosen = [] if PAIRS is None else ["-s", "chosen"]
    options = [*chosen, "--dataset-dir", "data", "--backend", "local", "--git", "-c", "4", "--eval-concurrency", "2"]
    return ["run", "-a", "plays_its_part", "-m", "none", "-n", name, *options]


def finished_episodes(log_dir: Path) -> dict[Path, tuple[int, bytes]]:
    """The results that may never change again; every result there is can be read."""
    results = {path: read_model(path, EpisodeResult) for path in log_dir.rglob("result.json")}
    finished = [path for path, result in results.items() if result.status is EpisodeStatus.COMPLETED]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in finished}


def verdicts(name: str, log_dir: Path) -> dict[GroupKey, Outcome | None]:
    episodes = read_run(name, log_dir).episodes
    return {each.group: each.evaluation.verdict.outcome if each.evaluation else None for each in episodes}
