"""Every mistake on the command line gets one line and the next command, and a name that was meant."""

from pathlib import Path

import pytest

from tests.command_line import cooperbench

MISTAKES = {
    ("rnu",): ("unknown command 'rnu'; did you mean 'run'?", "cooperbench --help"),
    ("runs", "shw", "x"): ("unknown command 'shw'; did you mean 'show'?", "cooperbench runs --help"),
    ("config", "modl"): ("unknown command 'modl'; did you mean 'modal'?", "cooperbench config --help"),
    ("--vresion",): ("cooperbench has no option '--vresion'; did you mean '--version'?", "cooperbench --help"),
    ("run", "--modle", "x"): ("cooperbench run has no option '--modle'; did you mean '--model'?", "run --help"),
    ("run", "-x"): ("cooperbench run has no option '-x'", "cooperbench run --help"),
    ("run", "-s"): ("option '-s' requires an argument", "cooperbench run --help"),
    ("run", "extra"): ("got unexpected extra argument (extra)", "cooperbench run --help"),
    ("run", "-c", "many"): ("invalid value for '-c' / '--concurrency': 'many' is not a valid integer", "run --help"),
    ("run", "--network", "ful"): ("did you mean 'full'?", "run --help"),
    ("runs", "export", "a", "b", "--format", "atlf"): ("did you mean 'atif'?", "cooperbench runs export --help"),
    ("runs", "show"): ("missing argument 'NAME'", "cooperbench runs show --help"),
    ("eval",): ("missing option '-n' / '--name'", "cooperbench eval --help"),
    ("tasks", "new", "a", "--test", "x", "--repository", "no"): ("'no' does not exist", "cooperbench tasks new --help"),
    ("run", "-s", "dmeo"): ("there is no dataset at dataset; did you mean 'demo'?", "-s demo"),
    ("tasks", "list", "-s", "dem"): ("did you mean 'demo'?", "-s demo"),
    ("run", "-s", "demo", "-r", "shelf"): ("unknown repository 'shelf'; did you mean 'shelfdb_task'?", "tasks list"),
    ("run", "-s", "demo", "-a", "GOLD"): ("unknown agent 'GOLD'; did you mean 'gold'?", "COOPERBENCH_EXTERNAL_AGENTS"),
    ("run", "-s", "demo", "-a", "gold", "--policy", "unoin"): ("did you mean 'union@1'?", ""),
    ("run", "-s", "demo", "-m", "scripted/adpts"): ("unknown script 'adpts'; did you mean 'adapts'?", "FILE.yaml"),
    ("doctor", "--backend", "dokcer"): ("unknown backend 'dokcer'; did you mean 'docker'?", ""),
    ("agents", "check", "glod"): ("unknown agent 'glod'; did you mean 'gold'?", ""),
    ("images", "build", "demo:shelfdb_task", "-s", "demo"): ("did you mean 'demo:shelfdb_task-1'?", ""),
    ("run", "-s", "demo", "-m", "scripted/adapts", "--agent-config", "wrong.yaml"): (
        "`model.temprature` in the agent's configuration: unknown key; did you mean 'temperature'?",
        "known are",
    ),
    ("run", "-s", "demo", "-m", "scripted/adapts", "--agent-config", "section.yaml"): (
        "unknown section 'modle' in the configuration of mini_swe_agent; did you mean 'model'?",
        "",
    ),
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_has_one_line_and_the_next_command(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text("model: {temprature: 1}\n")
    Path("section.yaml").write_text("modle: {temperature: 1}\n")
    before = sorted(Path().iterdir())
    message, hint = MISTAKES[words]
    said = cooperbench(*words)
    assert (said.code, said.out) == (2, "")
    first, *rest = said.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert len(rest) <= 1
    assert hint in "".join(rest)
    assert sorted(Path().iterdir()) == before


def test_a_group_without_a_command_shows_its_help() -> None:
    said = cooperbench("runs")
    assert "Commands:" in said.out + said.err
    assert "error" not in said.err
