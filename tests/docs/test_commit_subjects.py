import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "commits.sh"


@pytest.mark.parametrize(
    ("subject", "complaint"),
    [
        ("runner: stop at the first Ctrl-C", ""),
        ("cli, docs: " + "x" * 61, ""),
        ('Revert "runner: stop at the first Ctrl-C"', ""),
        ("cli, docs: " + "x" * 62, "over 72 characters: cli, docs"),
        ("Stop at the first Ctrl-C", "no scope: Stop"),
    ],
)
def test_a_subject_has_a_scope_and_at_most_72_characters(tmp_path: Path, subject: str, complaint: str) -> None:
    message = tmp_path / "COMMIT_EDITMSG"
    message.write_text(
        f"{subject}\n\nA body may have lines of any length, and needs no scope: " + "x" * 80 + "\n# a comment\n"
    )
    done = subprocess.run(["bash", SCRIPT, message], capture_output=True, text=True, check=False)
    assert done.returncode == (1 if complaint else 0)
    assert complaint in done.stderr
