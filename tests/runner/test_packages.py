import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cooperbench.errors import RecordError, RunMismatchError, UsageError
from cooperbench.records import Limits, read_model
from cooperbench.records.manifest import Manifest
from cooperbench.runner import RunResult, read_run
from cooperbench.runner.packages import export_run, merge_runs

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

Finished = Callable[..., RunResult]


def test_a_package_is_complete_and_proves_its_content(finished: Finished, surroundings: Path) -> None:
    directory = finished("exp", "nop").directory
    key = "sk-" + "a" * 40
    trajectory = next(directory.rglob("agent1_traj.json"))
    trajectory.write_text(trajectory.read_text().replace('"Submitted"', f'"{key}"'))
    (directory / "coop" / "shelfdb_task" / "1" / "f1_f2" / ".work").mkdir()
    manifest = export_run("exp", Path("package"), log_dir=surroundings)
    assert read_model(Path("package/manifest.json"), Manifest) == manifest
    assert (manifest.episodes, manifest.planned, manifest.redactions) == (1, 1, 1)
    for file in manifest.files:
        data = (Path("package") / file.path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.bytes, file.sha256)
        assert key.encode() not in data
    stored = {path.relative_to("package").as_posix() for path in Path("package").rglob("*") if path.is_file()}
    assert stored == {file.path for file in manifest.files} | {"manifest.json", "summary.json"}
    with pytest.raises(UsageError, match="package is not an empty folder"):
        export_run("exp", Path("package"), log_dir=surroundings)


def test_parts_of_a_run_made_on_several_machines_are_joined(finished: Finished, surroundings: Path) -> None:
    parts = [
        finished("exp", "nop", Path("here").absolute()).directory,
        finished("exp", "nop", Path("there").absolute(), features=(3, 4)).directory,
    ]
    for part, money in zip(parts, ("0.25", "0.5"), strict=True):
        (part / "costs.txt").write_text(f"{money}\n")
    export_run("exp", Path("package"), log_dir=parts[1].parent)
    parts[1] = Path("package")
    merge_runs("whole", parts, log_dir=surroundings)
    whole = read_run("whole", surroundings)
    assert whole.complete
    assert (whole.summary.total_cost, whole.summary.wasted_cost) == (0, 0.75)
    assert [episode.group.features for episode in whole.episodes] == [(1, 2), (3, 4)]
    with pytest.raises(UsageError, match="run 'whole' exists"):
        merge_runs("whole", parts, log_dir=surroundings)


def test_a_package_that_was_changed_or_damaged_is_refused(finished: Finished, surroundings: Path) -> None:
    finished("exp", "nop")
    export_run("exp", Path("package"), log_dir=surroundings)
    result = next(Path("package").rglob("result.json"))
    result.write_text(result.read_text().replace('"steps": 0', '"steps": 1'))
    with pytest.raises(RecordError, match=r"result\.json has changed since its export"):
        merge_runs("whole", [Path("package")], log_dir=surroundings)
    assert not (surroundings / "whole").exists()


def test_keys_of_the_environment_are_replaced_whatever_they_look_like(
    finished: Finished, surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trajectory = next(finished("exp", "nop").directory.rglob("agent1_traj.json"))
    trajectory.write_text(trajectory.read_text().replace('"Submitted"', '"the key is hunter2hunter2"'))
    monkeypatch.setenv("MY_PROVIDER_API_KEY", "hunter2hunter2")
    assert export_run("exp", Path("package"), log_dir=surroundings).redactions == 1
    assert not [path for path in Path("package").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_an_episode_whose_patch_holds_a_key_is_left_out(
    finished: Finished, surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [
        finished("exp", "nop", Path("here").absolute()).directory,
        finished("exp", "writes", Path("there").absolute(), features=(3, 4)).directory,
    ]
    monkeypatch.setenv("MY_API_KEY", "work of agent1")
    with pytest.raises(UsageError, match=r"agent3\.patch holds what looks like a key"):
        export_run("exp", Path("package"), log_dir=parts[1].parent)
    assert not Path("package").exists()
    assert export_run("exp", Path("package"), log_dir=parts[0].parent).episodes == 1


def test_parts_of_different_experiments_are_refused(finished: Finished, surroundings: Path) -> None:
    here = finished("exp", "nop", Path("here").absolute()).directory
    there = finished("exp", "nop", Path("there").absolute(), features=(3, 4), limits=Limits(steps=7)).directory
    with pytest.raises(RunMismatchError, match=r"limits.steps was 100 and is 7"):
        merge_runs("whole", [here, there], log_dir=surroundings)
    assert not surroundings.exists()
