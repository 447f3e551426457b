"""`cooperbench demo`: real agents, sandboxes, messages, git and tests; only the model is a script."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.paths import AnyPath
from cooperbench.runner.api import run
from cooperbench.runner.engine.observer import Observer
from cooperbench.runner.scenarios import Scenario, read_scenarios

SIDE_BY_SIDE = 3


class ScenarioResult(NamedTuple):
    """A scenario and its episode."""

    scenario: Scenario
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


def run_demo(log_dir: AnyPath | None = None, *, observer: Observer | None = None) -> list[ScenarioResult]:
    """Play all bundled scenarios from the beginning, a few at the same time."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="scenario") as threads:
        return list(threads.map(lambda scenario: _play(scenario, log_dir, observer), read_scenarios()))


def _play(scenario: Scenario, log_dir: AnyPath | None, observer: Observer | None) -> ScenarioResult:
    result = run(
        f"demo-{scenario.name}",
        model_name=scenario.model,
        setting=scenario.setting.value,
        subset="demo",
        repo=scenario.repo,
        task=scenario.task_id,
        features=scenario.features,
        git=scenario.together,
        messaging=scenario.messaging,
        backend="local",
        falsify="off",  # the scripts are known; making broken tests would double the first minute of a user
        log_dir=log_dir,
        force=True,
        observer=observer,
    )
    return ScenarioResult(scenario, result.episodes[0])


def coordination_gap(results: Iterable[ScenarioResult]) -> Gap:
    """Compare the pass rates of the judged scenarios."""
    judged = [(item.scenario.together, item.episode.passed) for item in results if item.episode.passed is not None]
    solo = [passed for together, passed in judged if not together]
    coop = [passed for together, passed in judged if together]
    return Gap(sum(solo), len(solo), sum(coop), len(coop))
