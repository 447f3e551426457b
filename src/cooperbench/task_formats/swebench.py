"""Read instances as SWE-bench publishes them: rows with a repository, a commit, a gold patch, a patch of tests and their names.

https://www.swebench.com/SWE-bench/guides/datasets/ describes the fields. Data sets made after its example have others besides, which
are ignored.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cooperbench.errors import MissingExtraError, TaskError
from cooperbench.records import first_error
from cooperbench.task_formats.pools import FeaturePool, PoolFeature


def _names(value: object) -> object:
    """Parse a list of tests, which the published files hold as JSON in a string."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else []
    except ValueError as error:
        raise ValueError("not a list of tests") from error


def _encodable(text: str) -> str:
    """Refuse half characters, which JSON can hold and a file cannot."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half a character") from error
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_names)]


class SweInstance(BaseModel):
    """One row."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    instance_id: Text = Field(min_length=1)
    repo: Text
    base_commit: str = Field(pattern=r"^[0-9a-f]{7,64}$")
    patch: Text
    test_patch: Text
    problem_statement: Text
    fail_to_pass: Names = Field(validation_alias=AliasChoices("FAIL_TO_PASS", "fail_to_pass"))
    pass_to_pass: Names = Field((), validation_alias=AliasChoices("PASS_TO_PASS", "pass_to_pass"))

    @property
    def fault(self) -> str | None:
        """Why it cannot be a feature; `None` if it can."""
        if not self.patch.strip():
            return "has no gold patch (`patch` is empty)"
        if not self.test_patch.strip():
            return "has no tests (`test_patch` is empty)"
        if not self.fail_to_pass:
            return "has no tests that the gold patch makes pass (`FAIL_TO_PASS` is empty)"
        return None if self.problem_statement.strip() else "has no text (`problem_statement` is empty)"

    def feature(self) -> PoolFeature:
        """Return the instance as a feature."""
        source = self.model_dump(mode="json", include={"instance_id", "repo", "base_commit"})
        return PoolFeature(
            name=self.instance_id,
            text=self.problem_statement,
            gold_patch=_ended(self.patch),
            tests_patch=_ended(self.test_patch),
            source=source | {"FAIL_TO_PASS": list(self.fail_to_pass), "PASS_TO_PASS": list(self.pass_to_pass)},
        )


def read_instances(path: Path) -> list[SweInstance]:
    """Read a file of rows: `.jsonl`, `.json` or `.parquet`. Raises `TaskError`, with the row, for the first that is not an instance."""
    found = [instance_of(row, f"{path}, row {number}") for number, row in enumerate(_rows(path), start=1)]
    if not found:
        raise TaskError(f"{path} has no instances", subject=str(path))
    return found


def instance_of(row: object, place: str) -> SweInstance:
    """Check one row. Raises `TaskError` with its place."""
    try:
        return SweInstance.model_validate(row)
    except ValidationError as error:
        field, message = first_error(error)
        raise TaskError(
            f"{place} is not an instance of SWE-bench: {field or 'the row'}: {message}", subject=place
        ) from error


def pool_of_instances(instances: list[SweInstance], base_commit: str | None) -> FeaturePool:
    """Make a pool of the instances, or of those on one commit. Raises `TaskError` if they are not on one, or cannot be features."""
    chosen = [each for each in instances if base_commit is None or each.base_commit.startswith(base_commit)]
    if not chosen:
        raise TaskError(f"no instance has the base commit {base_commit}", subject=base_commit)
    bases: dict[tuple[str, str], str] = {}
    for each in chosen:
        bases.setdefault((each.repo, each.base_commit), each.instance_id)
    if len(bases) > 1:
        listed = ", ".join(f"{name} on {commit[:12]} of {repo}" for (repo, commit), name in list(bases.items())[:3])
        raise TaskError(
            f"the instances have {len(bases)} base commits: {listed}",
            subject=chosen[0].instance_id,
            hint="a pool has one; --base-commit COMMIT chooses it",
        )
    seen: set[str] = set()
    for each in chosen:
        if each.fault:
            raise TaskError(f"{each.instance_id} {each.fault}", subject=each.instance_id)
        if each.instance_id in seen:
            raise TaskError(f"{each.instance_id} is there twice", subject=each.instance_id)
        seen.add(each.instance_id)
    names = [name for each in chosen for name in each.fail_to_pass]
    return FeaturePool(
        name=task_name(chosen[0].repo),
        base_commit=chosen[0].base_commit,
        features={number: each.feature() for number, each in enumerate(chosen, start=1)},
        pytest=all(re.search(r"\.py(::|$)", name) for name in names),
    )


def task_name(text: str) -> str:
    """Return a name that a task may have; empty if none of the text can be used."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _rows(path: Path) -> Iterator[Any]:
    kind = path.suffix
    if kind == ".parquet":
        yield from _parquet(path)
        return
    if kind not in (".jsonl", ".json"):
        raise TaskError(f"{path} is neither .jsonl, .json nor .parquet", subject=str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}", subject=str(path)) from error
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} is not text in UTF-8", subject=str(path)) from error
    try:
        if kind == ".json":
            whole = json.loads(text)
            yield from whole if isinstance(whole, list) else [whole]
            return
        for line in text.split("\n"):
            if line.strip():
                yield json.loads(line)
    except ValueError as error:
        raise TaskError(f"{path} is not JSON: {error}", subject=str(path)) from error


def _parquet(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtraError("reading parquet", "parquet") from error
    try:
        yield from parquet.read_table(path).to_pylist()
    except (OSError, ArrowException) as error:
        raise TaskError(f"cannot read {path}: {error}", subject=str(path)) from error


def _ended(patch: str) -> bytes:
    """Return a patch as bytes, with the newline at its end that rows often lack."""
    return (patch if patch.endswith("\n") else f"{patch}\n").encode()
