"""Models that play a script, for an agent that is tried without a model: its commands really run."""

from pathlib import Path

import yaml

WORK = "ls && printf 'checked\\n' >> CHECKED.txt"
SCRIPTS = {
    "alone": WORK,
    "team": f"{WORK} && coop send agent2 'I have checked.'",
    "slow": f"sleep 5; {WORK}",
}
"""The commands, by the trial's need."""


def write_script(path: Path, member: str, command: str) -> str:
    """Write a script in which a member runs a command and submits. Return the name of the model that plays it."""
    work = {"name": "bash", "arguments": {"command": command}}
    usage = {"input_tokens": 100, "output_tokens": 10}
    turns = [
        {"text": "I work.", "tool_calls": [work], "usage": usage, "cost": 0.01},
        {"tool_calls": [{"name": "submit"}], "usage": usage, "cost": 0.01},
    ]
    path.write_text(yaml.safe_dump({"members": {member: turns}}), encoding="utf-8")
    return f"scripted/{path}"
