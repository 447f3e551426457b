"""JSON: every row is an object with the names of the columns as its keys. Values are raw: shares, not percentages."""

import json

from cooperbench.analysis.tables.table import Report


def to_json(report: Report) -> str:
    """Write a report as JSON."""
    tables = [
        {
            "key": table.key,
            "title": table.title,
            "method": table.method,
            "notes": table.notes,
            "runs": [each.run for each in table.provenance],
            "rows": [dict(zip((column.name for column in table.columns), row, strict=True)) for row in table.rows],
        }
        for table in report.tables
    ]
    facts = {
        "title": report.title,
        "summary": report.summary,
        "runs": [each.model_dump(mode="json") for each in report.provenance],
        "tables": tables,
    }
    return json.dumps(facts, indent=2) + "\n"
