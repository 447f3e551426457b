"""`cooperbench demo`: real agents, sandboxes, messages, git and tests; only the model is a script."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cooperbench.records.episode_state import EpisodeView
from cooperbench.runner.api import run
from cooperbench.runner.engine.progress import Observer
from cooperbench.runner.stories import Story, read_stories

SIDE_BY_SIDE = 3


class Told(NamedTuple):
    """A story and what came of it."""

    story: Story
    episode: EpisodeView


class Gap(NamedTuple):
    """Solo pass rate minus coop pass rate."""

    solo_passed: int
    solo: int
    coop_passed: int
    coop: int

    @property
    def points(self) -> float | None:
        """In percentage points; `None` while one of the two has no episodes."""
        if not self.solo or not self.coop:
            return None
        return 100 * (self.solo_passed / self.solo - self.coop_passed / self.coop)


def run_demo(log_dir: Path | None = None, *, observer: Observer | None = None) -> list[Told]:
    """Play all bundled stories from the beginning, a few at the same time."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="story") as threads:
        return list(threads.map(lambda story: _tell(story, log_dir, observer), read_stories()))


def _tell(story: Story, log_dir: Path | None, observer: Observer | None) -> Told:
    result = run(
        f"demo-{story.name}",
        model_name=story.model,
        setting=story.setting.value,
        subset="demo",
        repo=story.repo,
        task=story.task_id,
        features=story.features,
        git=story.together,
        messaging=story.messaging,
        backend="local",
        log_dir=log_dir,
        force=True,
        observer=observer,
    )
    return Told(story, result.episodes[0])


def coordination_gap(told: Iterable[Told]) -> Gap:
    """Count what was judged."""
    judged = [(item.story.together, item.episode.passed) for item in told if item.episode.passed is not None]
    solo = [passed for together, passed in judged if not together]
    coop = [passed for together, passed in judged if together]
    return Gap(sum(solo), len(solo), sum(coop), len(coop))
