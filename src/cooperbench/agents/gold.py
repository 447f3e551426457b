"""`gold`: apply the reference solution. Its score is the upper bound of every result.

Only its own `config` holds the paths of the patches. No prompt and no sandbox of another agent mentions them.
"""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cooperbench.agents.assignment import Assignment
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.environments import Environment
from cooperbench.errors import AgentError, UsageError
from cooperbench.records import Record

PLACE = "/tmp/gold.patch"


class GoldPatches(Record):
    """The patches of the solution, applied in this order."""

    patches: tuple[Path, ...] = Field(min_length=1)
    combined: Path | None = Field(
        None,
        description="A patch with all features of the task, for features whose own patches conflict.",
    )


@register("gold")
class GoldRunner:
    """Applies the reference solution of its features."""

    def episode_config(self, assignment: Assignment) -> dict[str, Any]:
        """Return where the reference patches of the member's features are."""
        task = assignment.task
        patches = tuple(task / f"feature{number}" / "feature.patch" for number in assignment.member.features)
        combined = task / "combined.patch"
        found = GoldPatches(patches=patches, combined=combined if combined.exists() else None)
        return {"gold": found.model_dump(mode="json")}

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None, **kwargs: Any) -> AgentResult:
        """Apply the patches and submit."""
        try:
            gold = GoldPatches.model_validate((config or {}).get("gold"))
        except ValidationError as error:
            raise UsageError("gold needs the paths of the reference patches", hint="cooperbench run -a gold") from error
        with AgentSession(image, config=config, **kwargs) as session:
            used = _apply_solution(session.env, gold)
            return session.result("Submitted", messages=[{"role": "assistant", "content": f"applied {used}"}])


def _apply_solution(env: Environment, gold: GoldPatches) -> str:
    """Apply the patches of the features, or the combined one if they conflict, and return the names of those applied."""
    try:
        for path in gold.patches:
            _apply(env, path)
    except AgentError:
        if len(gold.patches) == 1 or gold.combined is None:
            raise
        env.execute("git reset --quiet --hard && git clean --quiet -fd")
        _apply(env, gold.combined)
        return gold.combined.name
    return ", ".join(f"{path.parent.name}/{path.name}" for path in gold.patches)


def _apply(env: Environment, path: Path) -> None:
    env.write_file(PLACE, path.read_bytes())
    # Patches of features that touch the same file apply on top of each other only with a three-way merge.
    done = env.execute(f"git apply --whitespace=nowarn {PLACE} || git apply --whitespace=nowarn --3way {PLACE}")
    if done["returncode"] != 0:
        raise AgentError(
            f"the reference patch {path} does not apply: {done['output'].strip()[-300:]}", subject=str(path)
        )
    env.execute(f"rm -f {PLACE}")
