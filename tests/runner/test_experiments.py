"""Several runs in one command: `-m` and `--setting` given again, and a file of settings x models x repeats."""

import json
from pathlib import Path

import pytest

from cooperbench import read_runs, run_experiment
from cooperbench.errors import UsageError
from cooperbench.runner import RunRequest
from cooperbench.runner.planning.experiment import Choices, expand, read_experiment
from tests.command_line import cooperbench

DEMO = ("run", "-s", "demo", "-r", "shelfdb", "-a", "nop", "--no-auto-eval", "--limit", "1")


def names(*words: str) -> list[str]:
    said = cooperbench(*DEMO, *words, "--dry-run", "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    return [each["config"]["run"] for each in (facts if isinstance(facts, list) else [facts])]


@pytest.mark.slow
def test_several_models_and_settings_make_a_run_each(tmp_path: Path) -> None:
    place = ("--log-dir", str(tmp_path))
    assert names("-n", "gap", "-m", "one", *place) == ["gap"]
    assert names("-n", "gap", "-m", "one", "-m", "x/two", *place) == ["gap-one", "gap-x-two"]
    assert names("-n", "gap", "--setting", "solo", "--setting", "coop", *place) == ["gap-solo", "gap-coop"]
    assert names("-n", "gap", "-m", "one", "--team", "nop:a,nop:b", *place) == ["gap-one", "gap-nop-a-nop-b"]


def test_a_file_names_everything(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text("members: [{model: a}, {model: b}]\n")
    file = tmp_path / "try.yaml"
    file.write_text(
        "settings: [solo, coop]\nmodels: [one]\nteams: [pair.yaml]\nrepeats: 2\nlimit: 3\ngit: true\n"
        "team_budget: true\nagent: nop\nsubset: demo\nlimits: {steps: 7}\n"
    )
    request, choices = read_experiment(file, RunRequest(), Choices(("coop",)))
    made = expand(request, choices)
    assert [(each.run_name, each.setting, each.git, each.team_budget, each.team) for each in made] == [
        ("try-solo-one", "solo", False, True, None),
        ("try-coop-one", "coop", True, False, None),
        ("try-coop-pair", "coop", True, False, str(tmp_path / "pair.yaml")),
    ]
    assert {(each.experiment, each.repeats, each.limit, each.limits.steps, each.limits.cost) for each in made} == {
        ("try", 2, 3, 7, 3.0)
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("settings: [solo]\nmodel: x\n", "wrong at model"),
        ("repeats: 0\n", "wrong at repeats"),
        ("limits: {stops: 4}\n", "wrong at stops"),
        ("settings: [solo\n", "not YAML"),
        ("models: [a, a]\n", "'a' is named twice"),
        ("settings: [solo, coop]\nteams: [a, b]\n", "solo runs need a model"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        expand(*read_experiment(file, RunRequest(), Choices(("coop",))))
    said = cooperbench(*DEMO, "--experiment", str(file), "--log-dir", str(tmp_path / "logs"))
    assert (said.code, (tmp_path / "logs").exists()) == (2, False)
    assert cooperbench("run", "--experiment", str(tmp_path / "none.yaml")).code == 2


def test_what_one_run_refuses_keeps_all_from_starting(tmp_path: Path) -> None:
    said = cooperbench(*DEMO, "-m", "one", "--setting", "coop", "--setting", "nope", "--log-dir", str(tmp_path))
    assert (said.code, list(tmp_path.iterdir())) == (2, [])


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_an_experiment_is_listed_together(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text("name: gap\nsettings: [solo, coop]\nagent: nop\nsubset: demo\nrepo: shelfdb\nlimit: 1\n")
    logs = tmp_path / "logs"
    runs = run_experiment(file, log_dir=logs, auto_eval=False)
    assert [(run.config.run, run.config.experiment, run.complete) for run in runs] == [
        ("gap-solo", "gap", True),
        ("gap-coop", "gap", True),
    ]
    assert {run.config.run for run in read_runs(log_dir=logs)} == {"gap-solo", "gap-coop"}
    listed = cooperbench("runs", "list", "--log-dir", str(logs)).out.splitlines()
    assert [line.split()[:2] for line in listed[:-1]] == [
        ["experiment", "run"],
        ["gap", "gap-solo"],
        ["gap", "gap-coop"],
    ]
    assert listed[-1].startswith("next: cooperbench ")
    assert [each["experiment"] for each in cooperbench("runs", "list", "--json", "--log-dir", str(logs)).facts] == [
        "gap",
        "gap",
    ]
    again = run_experiment(file, log_dir=logs, auto_eval=False)
    assert [row["attempts"] for row in again.rows()] == [1, 1]
