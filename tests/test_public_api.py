import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cooperbench
from cooperbench.agents import Budget
from cooperbench.collaboration import GitServer
from cooperbench.records import RunDirectory, read_model, write_model
from cooperbench.records.atif import export_atif
from cooperbench.records.run import RunConfig
from cooperbench.runner import RunRequest, make_plan, open_run, read_run, run_names
from cooperbench.runner.packages import export_run, merge_runs
from cooperbench.tasks import (
    Subset,
    SubsetEntry,
    discover_tasks,
    find_dataset,
    find_task,
    new_task,
    read_manifest,
    read_subset,
    read_task,
    subset_names,
    write_subset,
)
from cooperbench.testing.images import make_repository

LOGS = str(Path(__file__).parent / "records/fixtures/logs")
PUBLIC = ["", ".agents", ".analysis", ".collaboration", ".environments", ".evaluation", ".records", ".runner", ".tasks"]
PUBLIC += [".training", ".agent_check", ".records.atif", ".runner.demo", ".runner.packages", ".testing"]
# What these are made of comes from us, or they turn what they get into paths.
MADE_OR_CONVERTED = {"EpisodeDirectory", "EpisodeView", "Feature", "RunDirectory", "RunRequest", "RunResult", "Task"}


def test_every_public_name_resolves() -> None:
    for name in cooperbench.__all__:
        assert getattr(cooperbench, name) is not None


def test_help_imports_nothing_heavy_and_opens_no_socket() -> None:
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event.startswith("socket.connect") else None)
import cooperbench.cli.main as m
assert m.main(["--help"]) == 0
heavy = {"litellm", "docker", "modal", "redis", "google", "pydantic", "rich", "yaml", "asyncio"} & set(sys.modules)
assert not heavy, heavy
assert not opened, opened
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout


def public_callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in [importlib.import_module(f"cooperbench{name}") for name in PUBLIC]:
        for name in getattr(module, "__all__", [name for name, value in vars(module).items() if owned(value, module)]):
            value = getattr(module, name)
            if inspect.isclass(value) and name not in MADE_OR_CONVERTED:
                yield from ((f"{module.__name__}.{name}.{key}", each) for key, each in methods(value))
            elif inspect.isfunction(value):
                yield f"{module.__name__}.{name}", value


def owned(value: object, module: object) -> bool:
    return inspect.isfunction(value) and value.__module__ == module.__name__ and value.__name__[0] != "_"  # type: ignore[attr-defined]


def methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, value in vars(kind).items():
        if inspect.isfunction(value) and (name == "__init__" or not name.startswith("_")):
            yield name, value


def test_what_takes_a_path_takes_a_string() -> None:
    found = [
        f"{name}({parameter.name})"
        for name, function in public_callables()
        # Backends are called through `build_image` and the like, which convert.
        if ".environments.Backend." not in name and ".environments.CloudBackend." not in name
        for parameter in inspect.signature(function).parameters.values()
        if "Path" in str(parameter.annotation) and "str" not in str(parameter.annotation)
    ]
    assert not found
    assert len(list(public_callables())) > 150


def test_strings_work(tmp_path: Path) -> None:
    place = str(tmp_path)
    make_repository(tmp_path / "clone", {"a.py": "1\n"})
    task = new_task(f"{place}/data", "mine", repository=f"{place}/clone", commit="HEAD", test="true", setup="true")
    assert (
        read_task(str(task.path)) == task == discover_tasks(f"{place}/data")[0] == find_task("mine/1", f"{place}/data")
    )
    assert find_dataset(f"{place}/data") == tmp_path / "data"
    assert read_manifest(f"{place}/data") is None
    write_subset(f"{place}/data", Subset(name="few", tasks=(SubsetEntry(repo="mine", task_id=1),)))
    assert subset_names(f"{place}/data") == ["few"]
    assert read_subset(f"{place}/data", "few").name == "few"
    plan = make_plan(RunRequest(subset="demo", agent="nop", log_dir=f"{place}/logs"))  # type: ignore[arg-type]
    assert plan.directory.path.parent == tmp_path / "logs"
    write_model(f"{place}/config.json", plan.config)
    assert read_model(f"{place}/config.json", RunConfig) == plan.config
    assert RunDirectory(place).config == tmp_path / "config.json"  # type: ignore[arg-type]
    Budget(progress=f"{place}/progress.json").note_action("reading")
    assert (tmp_path / "progress.json").exists()
    with GitServer(f"{place}/git") as server:
        assert server.create_repository("one", ["a", "b"])


def test_strings_work_for_runs(tmp_path: Path) -> None:
    assert "pairs" in run_names(LOGS)
    assert open_run("pairs", LOGS)[1] == read_run("pairs", LOGS).config
    assert export_run("pairs", f"{tmp_path}/out", log_dir=LOGS).run == "pairs"
    assert export_atif("pairs", f"{tmp_path}/atif", log_dir=LOGS)
    merge_runs("merged", [f"{LOGS}/pairs"], log_dir=f"{tmp_path}/logs")
    assert read_run("merged", f"{tmp_path}/logs").summary.completed
    with pytest.raises(cooperbench.CooperBenchError):
        open_run("nothing", f"{tmp_path}/logs")
