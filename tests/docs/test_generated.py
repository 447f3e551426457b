from pathlib import Path

from cooperbench.cli.reference import reference
from cooperbench.records.schemas import schemas

DOCS = Path(__file__).parents[2] / "docs"


def test_the_command_line_reference_is_the_programs() -> None:
    assert (DOCS / "cli.md").read_text() == reference(), "python -m cooperbench.cli.reference > docs/cli.md"


def test_the_schemas_are_the_models() -> None:
    written = {path.name: path.read_text() for path in (DOCS / "schemas").iterdir()}
    assert written == schemas(), "python -m cooperbench.records.schemas docs/schemas"
