import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cooperbench.records import EpisodeStatus
from cooperbench.runner import read_run, run
from cooperbench.testing.conformance.commands import until
from tests.runner.parts import write_parts

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

CommandLine = Callable[..., subprocess.Popen[str]]
COMMAND = ("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-n", "held", "--no-auto-eval", "-a")


def both_have_written(gate: Path) -> None:
    """Each member says through the pipe that it has written its file."""
    with os.fdopen(os.open(gate, os.O_RDWR)) as stream:
        assert {stream.readline(), stream.readline()} == {"agent1\n", "agent2\n"}


def test_interrupting_captures_the_work_and_resuming_completes_the_run(
    surroundings: Path, cooperbench: CommandLine
) -> None:
    gate = Path("go")
    os.mkfifo(gate)
    for attempt, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), 1):
        with cooperbench(*COMMAND, "waits") as process:
            both_have_written(gate)
            process.send_signal(number)
            output, _ = process.communicate()
            assert process.returncode == 130, output
        assert "the same command resumes" in output
        [episode] = read_run("held", surroundings).episodes
        assert episode.result is not None
        assert (episode.result.status, episode.result.attempt) == (EpisodeStatus.INTERRUPTED, attempt)
        assert [member.patch_lines for member in episode.result.agents.values()] == [1, 1]
    gate.unlink()
    with cooperbench(*COMMAND, "waits") as process:
        output, _ = process.communicate()
        assert process.returncode == 0, output
    assert read_run("held", surroundings).complete


def test_a_signal_to_every_process_of_a_run_captures_the_work_however_often_it_comes(
    surroundings: Path, cooperbench: CommandLine
) -> None:
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*COMMAND, "waits") as process:
        both_have_written(gate)
        for _ in range(3):
            for each in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
        assert process.returncode == 130, output
    [episode] = read_run("held", surroundings).episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.INTERRUPTED
    assert [member.patch_lines for member in episode.result.agents.values()] == [1, 1]


def of_sandboxes(runner: psutil.Process) -> set[psutil.Process]:
    launchers = [each for each in runner.children(recursive=True) if each.name() == "bwrap"]
    return {below for launcher in launchers for below in launcher.children(recursive=True)}


def of_workers(runner: psutil.Process) -> set[psutil.Process]:
    return set(runner.children(recursive=True)) - of_sandboxes(runner)


@pytest.mark.parametrize(("agent", "first"), [("waits_inside", of_sandboxes), ("waits", of_workers)])
def test_a_signal_to_every_process_that_reaches_the_runner_last(
    agent: str,
    first: Callable[[psutil.Process], set[psutil.Process]],
    surroundings: Path,
    cooperbench: CommandLine,
) -> None:
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*COMMAND, agent) as process:
        both_have_written(gate)
        runner = psutil.Process(process.pid)
        until(lambda: agent == "waits" or sum(each.name() == "sleep" for each in of_sandboxes(runner)) == 2, 60)
        early = first(runner)
        late = set(runner.children(recursive=True)) - early
        for each in (*early, *late):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.terminate()
        time.sleep(0.2)  # the order is the point: the runner hears of it when the first are long gone
        runner.terminate()
        output, _ = process.communicate()
        assert process.returncode == 130, output
    [episode] = read_run("held", surroundings).episodes
    assert episode.result is not None
    assert episode.result.status is EpisodeStatus.INTERRUPTED, episode.result
    assert not episode.verdict


def test_interrupting_twice_quits_at_once_and_says_what_removes_the_rest(
    surroundings: Path, cooperbench: CommandLine
) -> None:
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*COMMAND, "deaf") as process:
        both_have_written(gate)
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        said = []
        for line in process.stdout:
            said.append(line)
            if " interrupted: " in line:
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130, said
    assert said[-1].endswith(" quitting at once: `cooperbench clean --run held` removes what is left\n")
    assert not (surroundings / "held" / "summary.json").exists()


def test_two_runners_on_one_run_directory(surroundings: Path, cooperbench: CommandLine) -> None:
    gate = Path("go")
    os.mkfifo(gate)
    with cooperbench(*COMMAND, "waits") as first:
        both_have_written(gate)
        with cooperbench(*COMMAND, "waits") as second:
            output, _ = second.communicate()
            assert second.returncode == 2
        assert f"process {first.pid} on" in output
        assert "is working on run 'held'" in output
        first.kill()
    assert not (surroundings / "held" / "summary.json").exists()


def test_episodes_that_had_not_begun_are_left_alone(surroundings: Path, cooperbench: CommandLine) -> None:
    gate = Path("go")
    os.mkfifo(gate)
    command = ("run", "-s", "demo", "-r", "shelfdb", "-n", "many", "--no-auto-eval", "-c", "21", "-a", "waits")
    with cooperbench(*command) as process:
        with os.fdopen(os.open(gate, os.O_RDWR)) as stream:
            assert stream.readline()
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate()
        assert process.returncode == 130, output
    ended = read_run("many", surroundings)
    begun = [episode.result for episode in ended.episodes if episode.result is not None]
    assert {result.status for result in begun} == {EpisodeStatus.INTERRUPTED}
    assert len(list(surroundings.rglob("f*_f*"))) == len(begun)


def test_a_run_whose_output_nobody_reads_any_more_goes_on(surroundings: Path, cooperbench: CommandLine) -> None:
    with cooperbench(
        "run", "-s", "demo", "-r", "shelfdb", "-n", "alone", "--no-auto-eval", "-c", "4", "-a", "nop"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(" run alone: 21 episodes\n")
        process.stdout.close()
        process.wait()
    assert read_run("alone", surroundings).complete


@pytest.mark.ci
def test_interrupting_an_evaluation_ends_it_at_once_and_the_same_command_continues(
    surroundings: Path, cooperbench: CommandLine, tmp_path: Path
) -> None:
    write_parts(tmp_path / "data", 5)
    assert run("judged", "gold", "none", dataset_dir="data", backend="local", auto_eval=False).complete
    command = ("eval", "-n", "judged", "--dataset-dir", "data")
    with cooperbench(*command, "-c", "1") as process:
        assert process.stdout is not None
        while "  (f" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
        assert process.returncode == 130, output
    assert " interrupted: the same command resumes it" in output
    assert "stopped early" not in output
    some = read_run("judged", surroundings).summary
    assert 0 < some.evaluated < some.planned
    with cooperbench(*command) as process:
        output, _ = process.communicate()
        assert process.returncode in (0, 1), output
    summary = read_run("judged", surroundings).summary
    assert summary.evaluated == summary.planned
