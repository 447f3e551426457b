from pathlib import Path

import pytest

from cooperbench.agents.scaffold import write_agent
from cooperbench.errors import UsageError
from tests.command_line import cooperbench


@pytest.mark.parametrize("name", ["My-Agent", "1st", "", "a/b"])
def test_names_that_are_no_package_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a usable package name"):
        write_agent(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_agents_are_listed_with_where_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(
        "from cooperbench.agents.registry import register\n\n\n@register('outside')\nclass Outside:\n"
        '    """From outside."""\n\n    def run(self, task, image):\n        ...\n'
    )
    listed = cooperbench("agents", "list", "--json", cwd=tmp_path, env={"COOPERBENCH_EXTERNAL_AGENTS": "outside"})
    found = {agent["name"]: agent for agent in listed.facts}
    assert found["outside"]["origin"] == "COOPERBENCH_EXTERNAL_AGENTS"
    assert found["mini_swe_agent"]["origin"] == "built-in"
    plain = cooperbench("agents", "list", cwd=tmp_path)
    assert "nop" in plain.out
    shown = cooperbench("agents", "show", "outside", cwd=tmp_path, env={"COOPERBENCH_EXTERNAL_AGENTS": "outside"})
    assert "outside:Outside" in shown.out
    unknown = cooperbench("agents", "show", "golden", cwd=tmp_path)
    assert unknown.code == 2
    assert "did you mean 'gold'" in unknown.err
    broken = cooperbench("agents", "list", cwd=tmp_path, env={"COOPERBENCH_EXTERNAL_AGENTS": "not_there"})
    assert broken.code == 2
    assert "not_there" in broken.err
