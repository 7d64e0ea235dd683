"""The form in which people start a run."""

from typing import Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

SlackId = Annotated[str, Field(pattern="^[UW][A-Z0-9]+$")]


def titled(title: str, **bounds: Any) -> FieldInfo:
    """Return the annotation of a flow's parameter that shows as *title*: Prefect overwrites a plain `Field(title=...)`."""
    field: FieldInfo = Field(json_schema_extra={"title": title}, **bounds)
    return field
