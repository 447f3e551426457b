import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.tasks import discover_tasks, read_manifest
from tests.command_line import Said, cooperbench
from tests.tasks.hub_standin import COMMIT, DATASET, HubStandIn, serve
from tests.tasks.test_dataset import make_task

pytestmark = pytest.mark.needs("hub")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubStandIn]:
    folder = tmp_path / "published"
    make_task(folder, "pallets_click_task", 0, (1, 2))
    make_task(folder, "go_chi_task", 12, (1, 2))
    (folder / "subsets").mkdir()
    (folder / "subsets" / "tiny.json").write_text(json.dumps({"tasks": [{"repo": "go_chi_task", "task_id": "12"}]}))
    with serve(folder) as server:
        yield server


def prepare(hub: HubStandIn, target: Path, *options: str) -> Said:
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(target.parent / "hf"), "NO_PROXY": "127.0.0.1"}
    return cooperbench("prepare", "--dataset-dir", str(target), *options, env=env)


def test_everything_at_a_recorded_commit(hub: HubStandIn, tmp_path: Path) -> None:
    target = tmp_path / "dataset"
    done = prepare(hub, target, "--json")
    assert done.code == 0, done.err
    assert done.facts["revision"] == COMMIT
    manifest = read_manifest(target)
    assert manifest is not None
    assert (manifest.dataset, manifest.revision, manifest.requested) == (DATASET, COMMIT, "main")
    tasks = discover_tasks(target)
    assert [task.key for task in tasks] == ["go_chi_task/12", "pallets_click_task/0"]
    assert tasks[0].features[1].gold_patch == b"gold\r\n"


def test_only_the_tasks_of_a_subset(hub: HubStandIn, tmp_path: Path) -> None:
    target = tmp_path / "dataset"
    done = prepare(hub, target, "-s", "tiny")
    assert done.code == 0, done.err
    assert "1 task of" in done.out
    assert not (target / "pallets_click_task").exists()


def test_an_interrupted_download_continues(hub: HubStandIn, tmp_path: Path) -> None:
    target = tmp_path / "dataset"
    hub.fail_after = 5
    broken = prepare(hub, target)
    assert broken.code == 1
    assert "repeat the command to continue" in broken.err
    assert read_manifest(target) is None
    hub.fail_after = None
    assert prepare(hub, target).code == 0
    assert max(hub.downloads.values()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--revision", "v9"), "has no revision 'v9'"),
        (("--dataset", "some/thing"), "there is no dataset 'some/thing'"),
        (("-s", "tinny"), "did you mean 'tiny'"),
        (("-s", "demo"), "need no download"),
    ],
)
def test_mistakes(hub: HubStandIn, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    done = prepare(hub, tmp_path / "dataset", *options)
    assert done.code == 2, done.err
    assert message in done.err


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://nobody.invalid", "nonsense"])
def test_no_network_is_one_line_with_what_to_do_instead(endpoint: str, tmp_path: Path) -> None:
    said = cooperbench("prepare", "--dataset-dir", str(tmp_path / "dataset"), "--endpoint", endpoint)
    assert said.code == 1
    first, hint = said.err.splitlines()
    assert first.startswith(f"error: cannot download CodeConflict/cooperbench-dataset from {endpoint}: ")
    assert "--endpoint URL" in hint
    assert "--dataset-dir DIR" in hint
