"""A shell completes commands, options, and the names of what is here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import cooperbench

LOGS = Path(__file__).parents[1] / "records/fixtures/logs"
WANTED = {
    ("ru",): {"run", "runs"},
    ("runs", "sh"): {"show"},
    ("run", "--mod"): {"--model"},
    ("runs", "show", ""): {"pairs", "alone"},
    ("runs", "rm", "pairs", "al"): {"alone"},
    ("eval", "-n", "pa"): {"pairs"},
    ("clean", "--run", "pa"): {"pairs"},
    ("runs", "show", "pairs", "parts_task/1/f1_f2"): {"parts_task/1/f1_f2"},
    ("submit", "pa"): {"pairs"},
    ("submit", "sl"): {"slurm"},
    ("submit", "pairs", "al"): {"alone"},
    ("submit", "pairs", "--tea"): {"--team"},
    ("run", "-s", "d"): {"demo"},
    ("run", "-s", "demo", "-r", "shel"): {"shelfdb_task"},
    ("run", "-a", "gol"): {"gold"},
    ("run", "--policy", "un"): {"union@1"},
    ("run", "--backend", "loc"): {"local"},
    ("agents", "run", "gold", "shelf"): {"shelfdb_task/1"},
    ("agents", "check", "no"): {"nop"},
    ("tasks", "show", "led"): {"ledgerkit_task/1"},
    ("completion", ""): {"bash", "zsh", "fish"},
    ("runs", "show", "nothing", ""): set(),
}
ASK = """
import json, os, sys
from cooperbench.cli.main import main
found = []
for words in json.loads(sys.argv[1]):
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = " ".join(["cooperbench", *words]), str(len(words))
    try:
        main([])
    except SystemExit as end:
        assert end.code == 0
    print("--", flush=True)
"""


def test_what_is_here_is_completed(tmp_path: Path) -> None:
    shutil.copytree(LOGS, tmp_path / "logs")
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(list(WANTED))],
        cwd=tmp_path,
        env={**os.environ, "_COOPERBENCH_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    answers = done.stdout.split("--\n")
    found = [{line.partition(",")[2] for line in answer.splitlines()} for answer in answers]
    for words, names in zip(WANTED, found, strict=False):
        assert WANTED[words] <= names, words
        assert all(name.startswith(words[-1]) for name in names), words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(shell: str) -> None:
    said = cooperbench("completion", shell)
    assert said.code == 0
    assert f"_COOPERBENCH_COMPLETE={shell}_complete" in said.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=said.out, text=True, check=True)
