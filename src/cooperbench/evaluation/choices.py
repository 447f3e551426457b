"""Reading choices that a user made."""

from typing import TypeVar

from pydantic import ValidationError

from cooperbench.errors import UsageError
from cooperbench.records import EvaluationChoices

T = TypeVar("T", bound=EvaluationChoices)


def read_choices(kind: type[T], **values: object) -> T:
    """Make choices of the named kind. Raises `UsageError` with the first one that cannot be meant."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{place}: {first['msg']}", subject=place) from error
