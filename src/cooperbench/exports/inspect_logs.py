"""A run as a log of Inspect: one file, with a sample for each episode that has a result."""

from pathlib import Path
from typing import Any, NamedTuple

from cooperbench.errors import MissingExtraError, UsageError
from cooperbench.records import RunConfig
from cooperbench.records.paths import AnyPath
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_run

try:
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalMetric,
        EvalResults,
        EvalScore,
        EvalSpec,
        EvalStats,
        write_eval_log,
    )
    from inspect_ai.scorer import SampleScore, mean, stderr
except ImportError as error:
    raise MissingExtraError("logs of Inspect", "inspect") from error

from cooperbench.exports.inspect_samples import sample_of

NOT_EXPRESSED = (
    "how long a wait for a message took: an `info` event has one time, so its data has `started_at`",
    "unknown token counts, which Inspect counts as 0",
    "episodes without a result, and verdicts under other policies than the one that the log was written for",
    "files that agents kept in their log directories",
)
"""What the format has no place for; it is listed in the log's metadata, too."""


class InspectLog(NamedTuple):
    """A written log."""

    path: Path
    samples: int
    notes: tuple[str, ...]
    """What could not be expressed."""


def export_eval(name: str, target: AnyPath, *, log_dir: AnyPath | None = None, policy: str | None = None) -> InspectLog:
    """Write the run as one `.eval` file into the folder `target`. `policy` chooses the verdicts, by default the run's own.

    Raises `UsageError` when the folder has something in it or no episode has a result.
    """
    target = Path(target).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", subject=str(target), hint="name a new one")
    run = read_run(name, log_dir, policy=policy)
    notes: list[str] = []
    samples = [sample_of(episode, notes) for episode in run if episode.result is not None]
    if not samples:
        raise UsageError(
            f"run {name!r} has no episode with a result", subject=name, hint=f"cooperbench runs show {name}"
        )
    notes += [f"{episode.group}: {episode.state.value}" for episode in run if episode.result is None]
    notes += NOT_EXPRESSED
    target.mkdir(parents=True, exist_ok=True)
    stamp = run.config.created_at.strftime("%Y-%m-%dT%H-%M-%S-00-00")
    path = target / f"{stamp}_{run.config.run}_{run.config.digest.removeprefix('sha256:')[:22]}.eval"
    write_eval_log(_log(run, samples, notes), path)
    return InspectLog(path, len(samples), tuple(notes))


def _log(run: RunResult, samples: list[Any], notes: list[str]) -> Any:
    config = run.config
    models = dict.fromkeys(member.model for member in config.team)
    return EvalLog(
        status="success" if run.complete else "cancelled",
        eval=EvalSpec(
            eval_id=config.digest.removeprefix("sha256:"),
            run_id=config.run,
            created=config.created_at,
            task=config.run,
            task_id=config.run,
            task_args={"setting": config.setting.value, "git": config.git, "messaging": config.messaging},
            solver=", ".join(dict.fromkeys(member.agent for member in config.team)),
            dataset=EvalDataset(
                name=config.tasks.subset or config.tasks.dataset,
                samples=len({sample.id for sample in samples}),
                sample_ids=sorted({sample.id for sample in samples}),
                shuffled=False,
            ),
            model=", ".join(models),
            config=EvalConfig(epochs=config.repeats),
            packages={"cooperbench": config.versions.get("cooperbench", "unknown")},
            metadata={"policy": run.policy, "not_expressed": notes, **_choices(config)},
        ),
        results=EvalResults(
            total_samples=len(config.groups), completed_samples=sum(bool(sample.scores) for sample in samples),
            scores=_metrics(samples),
        ),
        stats=EvalStats(
            started_at=min(sample.started_at for sample in samples),
            completed_at=max(sample.completed_at for sample in samples),
            model_usage=_total(samples, "model_usage"),
            role_usage=_total(samples, "role_usage"),
        ),
        samples=samples,
    )  # fmt: skip


def _choices(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"groups", "run"}, exclude_none=True)


def _metrics(samples: list[Any]) -> list[Any]:
    """Compute each score's mean with its standard error, by Inspect's own formulas, clustered by pool of features."""
    found = []
    for name in dict.fromkeys(name for sample in samples for name in sample.scores or ()):
        scored = [
            SampleScore(
                score=sample.scores[name], sample_id=sample.id, sample_metadata={"cluster": sample.metadata["cluster"]}
            )
            for sample in samples
            if name in (sample.scores or {})
        ]
        clusters = len({each.sample_metadata["cluster"] for each in scored})
        values = {"mean": mean()(scored)}
        if clusters > 1:
            values["stderr"] = stderr(cluster="cluster")(scored)
        metrics = {
            key: EvalMetric(name=key, value=value, metadata={"clusters": clusters}) for key, value in values.items()
        }
        found.append(
            EvalScore(
                name=name,
                scorer=name,
                scored_samples=len(scored),
                unscored_samples=len(samples) - len(scored),
                metrics=metrics,
            )
        )
    return found


def _total(samples: list[Any], field: str) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for sample in samples:
        for name, usage in getattr(sample, field).items():
            total[name] = total[name] + usage if name in total else usage
    return total
