"""Read the scripted scenarios of the bundled tasks: teams whose every move is written down, so that they need no model."""

from pathlib import Path
from typing import NamedTuple

import cooperbench.tasks
from cooperbench.agents.mini_swe_agent.models.script_file import load_script
from cooperbench.errors import RecordError
from cooperbench.records import Setting

SCRIPTS = Path(cooperbench.tasks.__file__).parent / "demo" / "scripts"
# A team without messages, in the same episode as one that has them.
_WITHOUT_MESSAGES = frozenset({"silent_and_conflicts"})
_SHOWN = ("talks_and_passes", "silent_and_conflicts", "merges_but_breaks", "warns_and_passes", "solo_passes")


class Scenario(NamedTuple):
    """An episode that a script was written for."""

    name: str
    description: str
    path: Path
    repo: str
    task_id: int
    features: tuple[int, ...]
    setting: Setting
    messaging: bool

    @property
    def model(self) -> str:
        """The name of the model that plays it."""
        return f"scripted/{self.path.stem}"

    @property
    def together(self) -> bool:
        """True when a team plays it."""
        return self.setting is not Setting.SOLO


def read_scenarios() -> list[Scenario]:
    """Read the scenarios that the demo shows, in its order; other scripts can be played by name."""
    return [_read(SCRIPTS / f"{name}.yaml") for name in _SHOWN]


def _read(path: Path) -> Scenario:
    script = load_script(path)
    if script.repo is None or script.task_id is None or script.features is None or script.setting is None:
        raise RecordError(f"{path} does not say which episode it is for", subject=str(path))
    return Scenario(
        name=path.stem,
        description=script.description,
        path=path,
        repo=script.repo,
        task_id=script.task_id,
        features=script.features,
        setting=script.setting,
        messaging=script.setting is not Setting.SOLO and path.stem not in _WITHOUT_MESSAGES,
    )
