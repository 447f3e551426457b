import json
from pathlib import Path

import pytest

from cooperbench.errors import TaskError, UnknownNameError, UsageError
from cooperbench.tasks import discover_groups, discover_tasks, find_tasks, image_name


def make_task(root: Path, repo: str, task_id: int, features: tuple[int, ...]) -> Path:
    path = root / repo / f"task{task_id}"
    for number in features:
        folder = path / f"feature{number}"
        folder.mkdir(parents=True)
        (folder / "feature.md").write_text(f"feature {number}")
        (folder / "feature.patch").write_bytes(b"gold\r\n")
        (folder / "tests.patch").write_bytes(b"tests")
    (path / "runner.sh").write_text("exit 0")
    (path / "Dockerfile").write_text("FROM x\nRUN git checkout " + "a" * 40 + "\n")
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    make_task(tmp_path, "pallets_click_task", 0, (1, 2, 7))
    make_task(tmp_path, "pallets_click_task", 2068, (1, 3))
    make_task(tmp_path, "go_chi_task", 12, (2, 3, 4))
    (tmp_path / "subsets").mkdir()
    entries = [
        {"repo": "pallets_click_task", "task_id": "0", "pairs": [["7", 1]], "groups": [[1, 2, 7]]},
        {"repo": "go_chi", "task_id": 12},
    ]
    (tmp_path / "subsets" / "lite.json").write_text(
        json.dumps({"name": "lite", "tasks": entries, "stats": {"tasks": 2}})
    )
    return tmp_path


def test_all_tasks_with_their_features_and_images(dataset: Path) -> None:
    tasks = discover_tasks(dataset)
    assert [task.key for task in tasks] == ["go_chi_task/12", "pallets_click_task/0", "pallets_click_task/2068"]
    click = tasks[1]
    assert list(click.features) == [1, 2, 7]
    assert click.image == "akhatua/cooperbench-pallets-click:task0"
    assert click.features[7].gold_patch == b"gold\r\n"
    assert click.recipe.base_commit == "a" * 40
    assert not click.recipe.bundled


def test_task_zero_is_not_the_absence_of_a_filter(dataset: Path) -> None:
    for task in (0, "0", "task0"):
        assert [found.key for found in discover_tasks(dataset, task=task)] == ["pallets_click_task/0"]


def test_a_task_may_be_named_by_task_id(dataset: Path) -> None:
    assert discover_tasks(dataset, task_id=0) == discover_tasks(dataset, task=0)
    assert discover_tasks(dataset, task="task0", task_id=0)
    with pytest.raises(UsageError, match="task=0 and task_id=1 name two tasks"):
        discover_tasks(dataset, task=0, task_id=1)


def test_registry_and_prefix_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOPERBENCH_IMAGE_REGISTRY", "registry.example:5000/")
    monkeypatch.setenv("COOPERBENCH_IMAGE_PREFIX", "team/bench-")
    assert image_name("pallets_click_task", 3) == "registry.example:5000/team/bench-pallets-click:task3"


def test_dataset_directory_from_the_environment(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOPERBENCH_DATASET_DIR", str(dataset))
    assert len(discover_tasks()) == 3


def test_subset_selects_tasks_pairs_and_groups(dataset: Path) -> None:
    tasks = discover_tasks(dataset, subset="lite")
    pairs = [group.key for group in discover_groups(tasks, subset="lite")]
    assert pairs == [
        "go_chi_task/12/f2_f3",
        "go_chi_task/12/f2_f4",
        "go_chi_task/12/f3_f4",
        "pallets_click_task/0/f1_f7",
    ]
    triples = [group.key for group in discover_groups(tasks, subset="lite", size=3)]
    assert triples == ["go_chi_task/12/f2_f3_f4", "pallets_click_task/0/f1_f2_f7"]


def test_named_features(dataset: Path) -> None:
    tasks = discover_tasks(dataset)
    assert [group.key for group in discover_groups(tasks, features=(3, 1))] == ["pallets_click_task/2068/f1_f3"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"repo": "palets_click"}, "did you mean 'pallets_click_task'"),
        ({"task": 99}, "pallets_click_task/2068"),
        ({"task": "abc"}, "not a number"),
        ({"subset": "lit"}, "did you mean 'lite'"),
        ({"repo": "go_chi", "task": 0}, "go_chi_task/12"),
    ],
)
def test_a_filter_that_matches_nothing_says_what_there_is(
    dataset: Path, filters: dict[str, str | int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        discover_tasks(dataset, **filters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("features", "message"),
    [((1, 1), "named twice"), ((1, 99), "unknown feature '99'"), ((2, 1, 3), "no task has all")],
)
def test_features_that_cannot_be(dataset: Path, features: tuple[int, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        discover_groups(discover_tasks(dataset, repo="pallets_click"), features=features)


def test_features_outside_of_the_subset(dataset: Path) -> None:
    tasks = discover_tasks(dataset, subset="lite")
    with pytest.raises(UsageError, match="subset 'lite' has no group"):
        discover_groups(tasks, features=(1, 2), subset="lite")


def test_a_missing_dataset_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cooperbench prepare"):
        discover_tasks(tmp_path / "nowhere")


def test_a_malformed_file_is_named(dataset: Path) -> None:
    (dataset / "subsets/lite.json").write_text('{"tasks": [{"repo": "a", "task_id": "x"}]}')
    with pytest.raises(TaskError, match=r"lite\.json is not a valid subset: tasks\.0\.task_id"):
        discover_tasks(dataset, subset="lite")


def test_a_subset_that_names_absent_tasks_or_features(dataset: Path) -> None:
    file = dataset / "subsets/lite.json"
    file.write_text(json.dumps({"tasks": [{"repo": "nope_task", "task_id": 1}]}))
    with pytest.raises(TaskError, match="nope_task/1"):
        discover_tasks(dataset, subset="lite")
    file.write_text(json.dumps({"tasks": [{"repo": "go_chi_task", "task_id": 12, "pairs": [[2, 9]]}]}))
    with pytest.raises(TaskError, match=r"does not have: \[9\]"):
        discover_groups(discover_tasks(dataset, subset="lite"), subset="lite")


def test_revision_changes_with_any_file(dataset: Path) -> None:
    before = discover_tasks(dataset, repo="go_chi")[0].revision
    assert discover_tasks(dataset, repo="go_chi")[0].revision == before
    (dataset / "go_chi_task/task12/feature2/tests.patch").write_bytes(b"other")
    assert discover_tasks(dataset, repo="go_chi")[0].revision != before


def test_unknown_names_carry_the_list(dataset: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        discover_tasks(dataset, repo="zzz")
    assert caught.value.available == ["go_chi_task", "pallets_click_task"]


def test_a_feature_that_cannot_be_used_costs_its_own_groups_only(dataset: Path) -> None:
    task = dataset / "go_chi_task/task12"
    (task / "feature3/tests.patch").unlink()
    (task / "feature4/feature.md").unlink()
    (task / "feature4/feature.md").mkdir()
    (task / "feature_five").mkdir()
    make_task(dataset, "go_chi_task", 12, (6, 7))
    (dataset / "pallets_click_task/task0/feature1/feature.patch").unlink()
    tasks, left_out = find_tasks(dataset)
    assert left_out == (
        "go_chi_task/12, feature3: tests.patch is missing",
        "go_chi_task/12, feature4: feature.md cannot be read: Is a directory",
        "go_chi_task/12, feature_five: the folder of a feature is called feature<N>",
        "pallets_click_task/0, feature1: feature.patch is missing",
    )
    groups = [group.key.removesuffix("_task") for group in discover_groups(tasks)]
    assert groups == [
        *(f"go_chi_task/12/{pair}" for pair in ("f2_f6", "f2_f7", "f6_f7")),
        "pallets_click_task/0/f2_f7",
        "pallets_click_task/2068/f1_f3",
    ]
    lite = discover_groups(discover_tasks(dataset, subset="lite"), subset="lite")
    assert [group.key for group in lite] == groups[:3], "the subset names click's features 1 and 7"
    with pytest.raises(UsageError, match=r"feature 3 of go_chi_task/12 cannot be used: tests\.patch is missing"):
        discover_groups(tasks, features=(2, 3))


def test_a_task_without_a_usable_feature_does_not_hide_the_others(dataset: Path) -> None:
    for feature in (1, 3):
        (dataset / f"pallets_click_task/task2068/feature{feature}/feature.md").unlink()
    tasks, left_out = find_tasks(str(dataset))
    assert [task.key for task in tasks] == ["go_chi_task/12", "pallets_click_task/0"]
    assert len(left_out) == 1
    assert left_out[0].endswith("task2068 has no features; feature1: feature.md is missing")
    with pytest.raises(TaskError, match=r"has no features; feature1: feature\.md is missing"):
        discover_tasks(dataset, task=2068)
