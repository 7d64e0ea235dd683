"""The form in which people start a run."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

SlackId = Annotated[str, Field(pattern="^[UW][A-Z0-9]+$")]


def titled(title: str, *, choices: Iterable[str] = (), **bounds: Any) -> FieldInfo:
    """Return the annotation of a flow's parameter that shows as *title*: Prefect overwrites a plain `Field(title=...)`.

    With *choices* the form offers these, and Prefect refuses any other.
    """
    shown: dict[str, Any] = {"title": title} | ({"enum": list(choices)} if choices else {})
    field: FieldInfo = Field(json_schema_extra=shown, **bounds)
    return field
