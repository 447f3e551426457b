"""The recipe for the image of a task, which tasks name and environments build."""

from pathlib import Path

from pydantic import Field

from cooperbench.records.base import Record


class ImageRecipe(Record):
    """The way to build the image `name` where it cannot be pulled."""

    name: str = Field(description="The image's full name, or `demo:<repo>-<task_id>` for bundled tasks.")
    former_name: str | None = Field(
        None, description="The name under which earlier versions built and found the image."
    )
    context: Path = Field(description="The task's folder; build context of its Dockerfile.")
    dockerfile: Path | None = None
    repository: Path | None = Field(
        None, description="A `git fast-export` stream shipped with the task, or a local clone."
    )
    base_commit: str | None = Field(None, description="The commit to check out; the tip of `repository` if not given.")
    host_packages: tuple[str, ...] = Field(
        (), description="Python distributions that a local image takes from this installation."
    )
    setup: str | None = Field(None, description="Shell commands that install what the tests need into a local image.")
    bundled: bool = Field(False, description="Ships with CooperBench and is built without asking.")

    @property
    def in_registry(self) -> bool:
        """True unless the image is only built where it is needed: a task that brings its repository along has nobody's namespace."""
        return not self.bundled and (self.repository is None or "/" in self.name)
