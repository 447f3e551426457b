"""The prompt of a member: its feature, and what it can do with its teammates.

Every capability is described once (`team_access`), and its section appears exactly when the member has it. A member learns its own
features and the names of its teammates, not what the teammates do. An agent that works alone gets all features, and no word
about a team. How an agent works and finishes is up to its framework, so it is not mentioned here.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from cooperbench.collaboration.team_access import TeamAccess, capabilities_of
from cooperbench.errors import UsageError
from cooperbench.records import Setting

if TYPE_CHECKING:
    from jinja2 import Environment


def render_task(features: Mapping[int, str], access: TeamAccess, setting: Setting) -> str:
    """Render the task as the agent reads it. `features` are the descriptions of this member's own features, by number."""
    if not features:
        raise UsageError(f"{access.agent_id} has no feature to work on", subject=access.agent_id)
    alone = setting.alone
    if alone != (len(access.agents) < 2):
        raise UsageError(f"the setting {setting} does not allow {len(access.agents)} members", subject=access.agent_id)
    template = _environment().get_template("solo.j2" if alone else "team.j2")
    return (
        template.render(
            # The templates' own word. Renaming it would change their digest, and runs that are not finished could not go on.
            seat=access,
            teammates=access.teammates,
            lead=access.lead,
            features=features,
            capabilities=capabilities_of(access),
        ).strip()
        + "\n"
    )


@cache
def templates_digest() -> str:
    """Return a digest of all templates for the record: prompts with the same digest were made from the same words."""
    digest = hashlib.sha256()
    for name, text in sorted(_templates().items()):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()


@cache
def _templates() -> dict[str, str]:
    folder = files(__package__) / "templates"
    return {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".j2")}


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # 80 ms that only the harness needs

    # Nothing is HTML here, and the text of a feature is a value, never part of a template.
    return Environment(
        loader=FunctionLoader(_templates().get),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
