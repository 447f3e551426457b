"""Downloading the published data set, pinned to a revision, and saying which revision a folder holds.

`huggingface_hub` does the transfer: files that are there already are not fetched again, so an interrupted download is
continued by repeating the command. `$HF_ENDPOINT` (or `endpoint`) names another server.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cooperbench.errors import MissingExtraError, TaskError, UsageError
from cooperbench.records import Record, read_model, utc_now, write_model
from cooperbench.tasks.dataset import DEMO
from cooperbench.tasks.subsets import read_subset

HUB_DATASET = "CodeConflict/cooperbench-dataset"
MANIFEST = ".cooperbench-dataset.json"


class DatasetManifest(Record):
    """Where a data set's folder came from."""

    dataset: str
    revision: str
    """The commit on the hub; asking for a branch or tag records what it was then."""
    requested: str
    endpoint: str | None = None
    subset: str | None = None
    """When only the tasks of a subset were downloaded."""
    prepared_at: datetime


def read_manifest(dataset_dir: Path) -> DatasetManifest | None:
    """Where a data set's folder came from; `None` for one that was made by hand."""
    path = dataset_dir / MANIFEST
    return read_model(path, DatasetManifest) if path.is_file() else None


def prepare_dataset(
    dataset_dir: Path,
    *,
    revision: str = "main",
    subset: str | None = None,
    dataset: str = HUB_DATASET,
    endpoint: str | None = None,
) -> DatasetManifest:
    """Download a data set, or the tasks of one subset, into a folder.

    Raises `MissingExtraError` without huggingface_hub, `UnknownNameError` for a subset that it does not have, `UsageError` for a
    revision or data set that does not exist, and `TaskError` (retryable) when the server does not answer.
    """
    if subset == DEMO:
        raise UsageError("the bundled tasks need no download", subject=DEMO, hint="cooperbench run -s demo …")
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise MissingExtraError("downloading the data set", "hub") from error
    endpoint = endpoint or os.environ.get("HF_ENDPOINT") or None
    with _readable_errors(dataset, revision):
        commit = HfApi(endpoint=endpoint).dataset_info(dataset, revision=revision).sha

        def download(patterns: list[str] | None) -> None:
            snapshot_download(
                dataset,
                repo_type="dataset",
                revision=commit,
                local_dir=dataset_dir,
                endpoint=endpoint,
                allow_patterns=patterns,
            )

        if subset is None:
            download(None)
        else:
            download(["subsets/*.json", "README.md"])
            entries = read_subset(dataset_dir, subset).tasks
            names = {f"{entry.repo.removesuffix('_task')}_task/task{entry.task_id}" for entry in entries}
            download([f"{name}/*" for name in sorted(names)])
    manifest = DatasetManifest(
        dataset=dataset,
        revision=str(commit),
        requested=revision,
        endpoint=endpoint,
        subset=subset,
        prepared_at=utc_now(),
    )
    write_model(dataset_dir / MANIFEST, manifest)
    return manifest


@contextmanager
def _readable_errors(dataset: str, revision: str) -> Iterator[None]:
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except RevisionNotFoundError as error:
        raise UsageError(f"{dataset} has no revision {revision!r}", subject=revision) from error
    except RepositoryNotFoundError as error:
        hint = "check --dataset; for one that is not public, set HF_TOKEN"
        raise UsageError(f"there is no data set {dataset!r} on the hub", subject=dataset, hint=hint) from error
    except (HfHubHTTPError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TaskError(
            f"the download of {dataset} stopped: {first}",
            subject=dataset,
            hint="repeat the command: it continues where it stopped",
            retryable=True,
        ) from error
