"""`gold`: applies the reference solution in its environment. Its score is the upper bound of every result.

Where the patches lie it is told by the harness, in `config["gold"]`; no prompt and no sandbox of another agent mentions them.
"""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.environments import Environment
from cooperbench.errors import AgentError, UsageError
from cooperbench.records import Record

PLACE = "/tmp/gold.patch"


class GoldPatches(Record):
    """Which patches make up the solution, applied in this order."""

    patches: tuple[Path, ...] = Field(min_length=1)
    combined: Path | None = Field(
        None,
        description="All of the task's features in one patch, for features whose patches conflict with each other.",
    )


@register("gold")
class GoldRunner:
    """Applies the reference solution of its features."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None, **kwargs: Any) -> AgentResult:
        """Apply the patches and submit."""
        try:
            gold = GoldPatches.model_validate((config or {}).get("gold"))
        except ValidationError as error:
            raise UsageError(
                "gold was not told where the reference patches are", hint="use it by `cooperbench run -a gold`"
            ) from error
        with AgentSession(image, config=config, **kwargs) as session:
            used = _apply_solution(session.env, gold)
            return session.result("Submitted", messages=[{"role": "assistant", "content": f"applied {used}"}])


def _apply_solution(env: Environment, gold: GoldPatches) -> str:
    """Apply the features' own patches; where they conflict with each other, the one that has them all. Says which."""
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
    # Patches of features that touch the same file fit each other's context only in a three-way merge.
    done = env.execute(f"git apply --whitespace=nowarn {PLACE} || git apply --whitespace=nowarn --3way {PLACE}")
    if done["returncode"] != 0:
        raise AgentError(
            f"the reference patch {path} does not apply: {done['output'].strip()[-300:]}", subject=str(path)
        )
    env.execute(f"rm -f {PLACE}")
