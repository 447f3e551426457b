import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.environments import build_image
from cooperbench.errors import TaskError
from cooperbench.evaluation import TaskValidation, validate_groups
from cooperbench.task_formats import ExportedSetting, export_harbor, pool_of_instances, read_instances
from cooperbench.tasks import discover_groups, discover_tasks, find_task, read_task
from cooperbench.testing.images import git, make_repository
from tests.command_line import Said, cooperbench

SHELFDB = find_task("shelfdb/1")
BASE = "3e1c7a9d3e1c7a9d3e1c7a9d3e1c7a9d3e1c7a9d"


def instance(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "repo": "octo/tool",
        "instance_id": f"octo__tool-{number}",
        "base_commit": BASE,
        "patch": "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b",
        "test_patch": "diff --git a/tests/test_a.py b/tests/test_a.py\n",
        "problem_statement": "Do it.",
        "FAIL_TO_PASS": '["tests/test_a.py::test_a"]',
        "PASS_TO_PASS": [],
        "hints_text": "",
    } | changes


def write_rows(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def imported(*arguments: str | Path) -> Said:
    return cooperbench("tasks", "import", *map(str, arguments))


@pytest.fixture
def tool(tmp_path: Path) -> tuple[Path, Path]:
    """A clone, and a file with two instances that change the same line, and one that does not fit to either."""
    clone = tmp_path / "clone"
    base = make_repository(
        clone,
        {
            "tool.py": "def numbers():\n    return [\n        0,\n    ]\n",
            "tests/test_base.py": "def test_base(): pass\n",
        },
    )
    rows = []
    for number in (1, 2):
        test = f"from tool import numbers\n\n\ndef test_{number}():\n    assert {number} in numbers()\n"
        rows.append(instance(number, base_commit=base, FAIL_TO_PASS=[f"tests/test_{number}.py::test_{number}"]))
        for field, path, text in (
            ("patch", "tool.py", f"def numbers():\n    return [\n        0,\n        {number},\n    ]\n"),
            ("test_patch", f"tests/test_{number}.py", test),
        ):
            (clone / path).write_text(text)
            git(clone, "add", "--all")
            rows[-1][field] = git(clone, "diff", "--cached")
            git(clone, "reset", "--quiet", "--hard")
    return clone, write_rows(tmp_path / "rows.jsonl", *rows, instance(3))


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_instances_become_a_pool_that_validates(tool: tuple[Path, Path], tmp_path: Path) -> None:
    clone, rows = tool
    base = git(clone, "rev-parse", "HEAD")
    out = tmp_path / "data"
    said = imported("--format", "swebench", rows, "--base-commit", base[:10], "--repository", clone, "--out", out)
    assert said.code == 0, said
    assert "feature 2   octo__tool-2" in said.out
    task = discover_tasks(out)[0]
    assert task.key == "octo_tool_task/1"
    assert task.features[1].description == "Do it."
    kept = json.loads((task.features[2].path / "instance.json").read_text())
    assert kept["FAIL_TO_PASS"] == ["tests/test_2.py::test_2"]
    build_image("local", task.recipe)
    validated = cooperbench("tasks", "validate", "--dataset-dir", str(out), "--backend", "local", "--group", "--json")
    facts = validated.facts[0]
    assert [feature["problems"] for feature in facts["features"]] == [[], []]
    assert facts["groups"] == [{"features": [1, 2], "solved_by": "union", "conflicts": 1, "problem": "", "ok": True}]
    # A team cannot pass both where one asks that the other was not done.
    patch = task.features[2].path / "tests.patch"
    patch.write_bytes(patch.read_bytes().replace(b"assert 2 in numbers()", b"assert numbers() == [0, 2]"))
    alone = TaskValidation.model_validate(
        {name: value for name, value in facts.items() if name not in ("ok", "groups")}
    )
    (group,) = validate_groups(read_task(task.path), [(1, 2)], alone)
    assert (group.ok, group.conflicts) == (False, 1)
    assert group.problem.startswith("feature 2 fails when the gold patches are merged: ")


def test_what_was_exported_to_harbor_comes_back(tmp_path: Path) -> None:
    groups = discover_groups([SHELFDB], features=(1, 3))
    export_harbor(groups, tmp_path / "single", setting=ExportedSetting.SINGLE)
    export_harbor(groups, tmp_path / "solo", setting=ExportedSetting.SOLO)
    for folder in ("single", "solo/shelfdb-1-f1-f3"):
        out = tmp_path / f"from-{folder.split('/')[0]}"
        said = imported("--format", "harbor", tmp_path / folder, "--out", out)
        assert said.code == 0, said
        task = discover_tasks(out)[0]
        assert list(task.features) == [1, 3]
        for number, feature in task.features.items():
            original = SHELFDB.features[number]
            for name in ("feature.md", "feature.patch", "tests.patch"):
                assert (feature.path / name).read_bytes() == (original.path / name).read_bytes()
        assert task.runner == SHELFDB.runner
        assert (task.path / "Dockerfile").read_text() == (SHELFDB.path / "Dockerfile").read_text()
        assert task.recipe.repository is not None
    assert task.combined_patch == SHELFDB.combined_patch


def test_folders_made_of_swebench(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / "tasks" / f"octo__tool-{number}"
        (folder / "tests").mkdir(parents=True)
        (folder / "environment").mkdir()
        (folder / "task.toml").write_text('version = "1.0"\n[metadata]\ndifficulty = "hard"\n')
        (folder / "environment" / "Dockerfile").write_text("FROM swebench/octo:latest\nWORKDIR /testbed\n")
        (folder / "tests" / "config.json").write_text(json.dumps(instance(number)))
    said = imported("--format", "harbor", tmp_path / "tasks", "--out", tmp_path / "data")
    assert said.code == 0, said
    task = discover_tasks(tmp_path / "data")[0]
    assert task.recipe.base_commit == BASE
    assert "FROM swebench/octo:latest" in (task.path / "Dockerfile").read_text()
    (tmp_path / "tasks" / "octo__tool-2" / "tests" / "config.json").unlink()
    refused = imported("--format", "harbor", tmp_path / "tasks", "--out", tmp_path / "other")
    assert refused.code == 2
    assert "its tests are a program, not a patch" in refused.err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (
            [instance(1), instance(2, base_commit="f" * 40)],
            [],
            "the instances have 2 base commits: octo__tool-1 on 3e1c7a9d3e1c",
        ),
        ([instance(1), instance(2, patch=" ")], [], "octo__tool-2 has no gold patch (`patch` is empty)"),
        ([instance(1), instance(2, test_patch="")], [], "octo__tool-2 has no tests (`test_patch` is empty)"),
        ([instance(1), instance(2, FAIL_TO_PASS="[]")], [], "octo__tool-2 has no tests that the gold patch makes pass"),
        ([instance(1), instance(2, problem_statement="")], [], "octo__tool-2 has no text"),
        ([instance(1), instance(1)], [], "octo__tool-1 is there twice"),
        ([instance(1)], [], "octo__tool-1 is the only feature"),
        ([instance(1), instance(2)], ["--base-commit", "abc"], "no instance has the base commit abc"),
        (
            [instance(1), {"repo": "octo/tool"}],
            [],
            "row 2 is not an instance of SWE-bench: instance_id: Field required",
        ),
        (
            [instance(1, FAIL_TO_PASS="test_a")],
            [],
            "row 1 is not an instance of SWE-bench: FAIL_TO_PASS: not a list of tests",
        ),
        ([instance(1), [1]], [], "row 2 is not an instance of SWE-bench: the row:"),
        ([], [], "has no instances"),
        ([instance(1), instance(2, FAIL_TO_PASS=["TestA"])], [], "how the tests run is not known"),
        ([instance(1), instance(2)], [], "the place of the repository is not known"),
        (
            [instance(1), instance(2)],
            ["--image", "x", "--repository", "."],
            "the repository is in the clone or in the image",
        ),
        ([instance(1), instance(2)], ["--image", "x", "--setup", "true"], "--setup decides nothing here"),
        ([instance(1), instance(2)], ["--image", "x", "--name", "../x"], "'../x' is not a task name"),
        ([instance(1, repo="日本"), instance(2, repo="日本")], ["--image", "x"], "'' is not a task name"),
        ([instance(1, patch="\ud800"), instance(2)], [], "row 1 is not an instance of SWE-bench: patch:"),
    ],
)
def test_bad_rows_are_one_line(rows: list[Any], options: list[str], said: str, tmp_path: Path) -> None:
    found = imported(
        "--format", "swebench", write_rows(tmp_path / "rows.jsonl", *rows), "--out", tmp_path / "data", *options
    )
    assert found.code == 2, found
    assert said in found.err.splitlines()[0]
    assert not list(tmp_path.glob("data/*/*"))


def test_folders_of_other_kinds_are_one_line(tmp_path: Path) -> None:
    groups = discover_groups([SHELFDB], features=(1, 3))
    export_harbor(groups, tmp_path / "out", setting=ExportedSetting.SINGLE)
    one = tmp_path / "out" / "shelfdb-1-f1"
    toml = (one / "task.toml").read_text()
    for text, said in (
        (
            toml.replace('schema_version = "1.4"', 'schema_version = "2.0"'),
            "has the format version 2.0; CooperBench reads 1.x",
        ),
        (toml.replace(SHELFDB.revision, "0" * 64), "is of another base than"),
        (toml.replace("features = [1]", 'features = ["a"]'), "task.toml: metadata.features.0: "),
        ("[[", "is not TOML"),
        ('metadata = "a"', "is not a task of Harbor: metadata"),
    ):
        (one / "task.toml").write_text(text)
        found = imported("--format", "harbor", tmp_path / "out", "--out", tmp_path / "data")
        assert (found.code, said in found.err.splitlines()[0]) == (2, True), found
    (one / "task.toml").write_text(toml)
    (one / "tests" / "feature1" / "gold.patch").write_bytes(b"")
    found = imported("--format", "harbor", tmp_path / "out", "--out", tmp_path / "data")
    assert "feature 1 has no gold patch" in found.err
    shutil.rmtree(one / "tests")
    found = imported("--format", "harbor", tmp_path / "out", "--out", tmp_path / "data")
    assert (found.code, "cannot read" in found.err) == (2, True)
    found = imported(
        "--format", "harbor", tmp_path / "out" / "shelfdb-1-f3", "--out", tmp_path / "data", "--test", "true"
    )
    assert "--test decides nothing here" in found.err
    found = imported("--format", "harbor", tmp_path / "nowhere", "--out", tmp_path / "data")
    assert "has no task.toml" in found.err
    assert not (tmp_path / "data").exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(instance())), inner, max_size=4),
    max_leaves=6,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(rows=st.lists(JSON, max_size=3), changes=st.dictionaries(st.sampled_from(sorted(instance())), JSON, max_size=2))
def test_any_json_is_read_or_refused(rows: list[Any], changes: dict[str, Any], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", *rows, instance(1, **changes))
    with suppress(TaskError):  # one line on the command line; anything else is a bug
        pool_of_instances(read_instances(path), None)


@quick
@given(patch=TEXT, text=TEXT, names=st.lists(TEXT, min_size=1, max_size=3), quoted=st.booleans())
def test_every_character_arrives(patch: str, text: str, names: list[str], quoted: bool, tmp_path: Path) -> None:
    patch, text = f"x{patch}", f"x{text}"
    row = instance(1, patch=patch, problem_statement=text, FAIL_TO_PASS=json.dumps(names) if quoted else names)
    pool = pool_of_instances(read_instances(write_rows(tmp_path / "rows.jsonl", row)), None)
    assert pool.features[1].gold_patch.decode().removesuffix("\n") == patch.removesuffix("\n")
    assert pool.features[1].text == text
    assert pool.features[1].source["FAIL_TO_PASS"] == names
