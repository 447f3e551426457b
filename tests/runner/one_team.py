"""One episode of a bundled task with any members: for tests of what each of them costs and leaves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cooperbench.records import MemberResult
from cooperbench.runner import RunRequest, RunResult, SessionOptions, execute, make_plan
from cooperbench.tasks import find_dataset


def run_team(
    members: Sequence[dict[str, Any]], log_dir: Path, options: SessionOptions | None = None, **asked: Any
) -> RunResult:
    """Run the members of a team file, each with a feature of its own."""
    Path("team.yaml").write_text(yaml.safe_dump({"members": list(members)}))
    request = RunRequest(
        run_name="team",
        team="team.yaml",
        dataset_dir=find_dataset(subset="demo"),
        repo="shelfdb",
        features=tuple(range(1, len(members) + 1)),
        log_dir=log_dir,
        **asked,
    )
    return execute(make_plan(request), options or SessionOptions(auto_eval=False, overtime=1.0))


def members_of(result: RunResult) -> list[MemberResult]:
    """The results of its members."""
    [episode] = result.episodes
    assert episode.result is not None
    return list(episode.result.agents.values())
