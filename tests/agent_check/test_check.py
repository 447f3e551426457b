import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench.agent_check import CheckReport, Grade, check_agent
from tests.command_line import cooperbench


def failed(report: CheckReport) -> dict[str, str]:
    return {finding.check: finding.message for finding in report.findings if finding.grade is Grade.FAILED}


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_the_built_in_agent_passes_every_trial() -> None:
    report = check_agent("mini_swe_agent")
    assert not failed(report)
    by_name = {finding.check: finding for finding in report.findings}
    assert {finding.grade for finding in report.findings} == {Grade.PASSED}
    assert "sent 1 message" in by_name["messaging"].message
    assert by_name["lost sandbox"].message == "ends when its sandbox is gone"


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_gold_and_nop_keep_the_interface() -> None:
    for name in ("gold", "nop"):
        report = check_agent(name)
        assert report.passed, failed(report)


@pytest.mark.ci
@pytest.mark.needs("sandbox")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "check", "text"),
    [
        ("testing/wrong_type", "result", "returned a dict instead of an AgentResult"),
        ("testing/hang", "result", "did not return within 3 s"),
        ("testing/exit", "result", "exit code 7"),
        ("testing/segfault", "result", "signal 11"),
        ("testing/unprintable", "result", "UnprintableError"),
        ("testing/no_cleanup", "clean-up", "1 of 1 environments were left open"),
        ("testing/fork", "clean-up", "10 processes go on"),
        ("no_such_module:Agent", "found", "no_such_module"),
    ],
)
def test_broken_agents_learn_what_to_fix(name: str, check: str, text: str) -> None:
    deadline = 3.0 if name == "testing/hang" else 60.0
    report = check_agent(name, deadline=deadline)
    assert not report.passed
    assert text in failed(report)[check]
    assert all(finding.hint for finding in report.findings if finding.grade is Grade.FAILED)


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_from_an_empty_folder_to_an_agent_that_keeps_the_interface(tmp_path: Path) -> None:
    made = cooperbench("agents", "new", "my_agent", cwd=tmp_path)
    assert made.code == 0, made.err
    folder = tmp_path / "my_agent"
    assert (folder / "my_agent" / "adapter.py").is_file()

    env = {"COOPERBENCH_EXTERNAL_AGENTS": "my_agent.adapter"}
    checked = cooperbench("agents", "check", "my_agent", "--json", cwd=folder, env=env)
    assert checked.code == 0, checked
    assert {finding["grade"] for finding in checked.facts["findings"]} == {"passed"}

    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert tested.returncode == 0, tested.stdout

    again = cooperbench("agents", "new", "my_agent", cwd=tmp_path)
    assert again.code == 2
    assert "already exists and is not empty" in again.err


def test_a_wrong_configuration_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    for name, text in [("none.yaml", "cannot read"), ("list.yaml", "not a mapping"), ("broken.yaml", "not valid YAML")]:
        done = cooperbench("agents", "check", "nop", "--agent-config", name, cwd=tmp_path)
        assert done.code == 2
        assert text in done.err
