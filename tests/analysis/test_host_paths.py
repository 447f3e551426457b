"""Runs made before records were kept free of paths are read without them."""

from pathlib import Path

from cooperbench.records.runs import read_run
from tests.analysis.recorded import Recorded, record_run
from tests.command_line import cooperbench


def test_tables_of_earlier_runs_name_no_folder_of_a_machine(tmp_path: Path) -> None:
    record_run(tmp_path, "run", [Recorded()], model="a-model")
    for path in (tmp_path / "run").rglob("*.json"):
        path.write_text(path.read_text().replace('"a-model"', '"scripted//home/somebody/scripts/team.yaml"'))
    run = read_run("run", tmp_path)
    assert run.rows()[0]["models"] == ("scripted/team.yaml", "scripted/team.yaml")
    assert {row["model"] for row in run.member_rows()} == {"scripted/team.yaml"}
    for command in ("report", "explain"):
        said = cooperbench(command, "run", "--log-dir", str(tmp_path))
        assert said.code == 0, said.err
        assert "somebody" not in said.out
