"""Download the published dataset at a revision, and record which revision a directory holds.

`huggingface_hub` does the transfer and skips files that are already there, so repeating the command continues an interrupted
download. `$HF_ENDPOINT` (or `endpoint`) names another server.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from cooperbench.errors import CooperBenchError, MissingExtraError, TaskError, UsageError
from cooperbench.records import Record, read_model, utc_now, write_model
from cooperbench.records.paths import AnyPath
from cooperbench.tasks.subsets import DEMO, read_subset

HUB_DATASET = "CodeConflict/cooperbench-dataset"
HUB = "https://huggingface.co"
MANIFEST = ".cooperbench-dataset.json"


class DatasetManifest(Record):
    """The origin of a dataset's directory."""

    dataset: str
    revision: str
    """The commit on the hub, also when a branch or tag was requested."""
    requested: str
    endpoint: str | None = None
    subset: str | None = None
    """The subset whose tasks were downloaded; `None` for all tasks."""
    prepared_at: datetime


def read_manifest(dataset_dir: AnyPath) -> DatasetManifest | None:
    """Read the origin of a dataset's directory; `None` for one that was made by hand."""
    path = Path(dataset_dir) / MANIFEST
    return read_model(path, DatasetManifest) if path.is_file() else None


def prepare_dataset(
    dataset_dir: AnyPath,
    *,
    revision: str = "main",
    subset: str | None = None,
    dataset: str = HUB_DATASET,
    endpoint: str | None = None,
) -> DatasetManifest:
    """Download a dataset, or the tasks of one subset, into a directory.

    Raises `MissingExtraError` without huggingface_hub, `UnknownNameError` for an unknown subset, `UsageError` for a revision or
    dataset that does not exist, and `TaskError` (retryable) when the server does not answer.
    """
    if subset == DEMO:
        raise UsageError("the bundled tasks need no download", subject=DEMO, hint="cooperbench run -s demo …")
    dataset_dir = Path(dataset_dir).expanduser()
    endpoint = endpoint or os.environ.get("HF_ENDPOINT") or None
    commit = _download(dataset_dir, dataset, revision, subset=subset, endpoint=endpoint)
    manifest = DatasetManifest(
        dataset=dataset,
        revision=commit,
        requested=revision,
        endpoint=endpoint,
        subset=subset,
        prepared_at=utc_now(),
    )
    write_model(dataset_dir / MANIFEST, manifest)
    return manifest


def _download(dataset_dir: Path, dataset: str, revision: str, *, subset: str | None, endpoint: str | None) -> str:
    """Download the tasks, and return the commit that the revision names."""
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise MissingExtraError("downloading the dataset", "hub") from error
    with _readable_errors(dataset, revision, endpoint or HUB):
        commit = str(HfApi(endpoint=endpoint).dataset_info(dataset, revision=revision).sha)
        fetch = partial(
            snapshot_download, dataset, repo_type="dataset", revision=commit, local_dir=dataset_dir, endpoint=endpoint
        )
        if subset is None:
            fetch()
        else:
            fetch(allow_patterns=["subsets/*.json", "README.md"])
            entries = read_subset(dataset_dir, subset).tasks
            names = {f"{entry.repo.removesuffix('_task')}_task/task{entry.task_id}" for entry in entries}
            fetch(allow_patterns=[f"{name}/*" for name in sorted(names)])
    return commit


@contextmanager
def _readable_errors(dataset: str, revision: str, endpoint: str) -> Iterator[None]:
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except CooperBenchError:
        raise
    except RevisionNotFoundError as error:
        raise UsageError(f"{dataset} has no revision {revision!r}", subject=revision) from error
    except RepositoryNotFoundError as error:
        hint = "check --dataset; set HF_TOKEN for one that is not public"
        raise UsageError(f"there is no dataset {dataset!r} on the hub", subject=dataset, hint=hint) from error
    except (
        Exception
    ) as error:  # of the hub's client and of whichever library it uses for HTTP, which have no common class
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TaskError(
            f"cannot download {dataset} from {endpoint}: {first}",
            subject=dataset,
            hint="repeat the command to continue; name a mirror with --endpoint URL; or use a copy: run --dataset-dir DIR",
            retryable=True,
        ) from error
