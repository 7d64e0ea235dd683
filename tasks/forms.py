"""The form in which people start a run."""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo

from slack_docebo.domain.texts import COPIED_ALONG, stripped


def titled(title: str, *, choices: Iterable[str] = (), **bounds: Any) -> FieldInfo:
    """Return the annotation of a flow's parameter that shows as *title*: Prefect overwrites a plain `Field(title=...)`.

    With *choices* the form offers these, and Prefect refuses any other.
    """
    shown: dict[str, Any] = {"title": title} | ({"enum": list(choices)} if choices else {})
    field: FieldInfo = Field(json_schema_extra=shown, **bounds)
    return field


def written(pattern: str, *, like: str) -> FieldInfo:
    """Return the annotation of a text whose form says "'*like*' was expected" of what does not fit the *pattern*.

    Prefect shows the words in which its check of the schema fails, and those of a pattern are the pattern.
    """
    in_words: dict[str, Any] = {"pattern": "", "if": {"pattern": pattern}, "else": {"const": like}}
    field: FieldInfo = Field(pattern=pattern, json_schema_extra=in_words)
    return field


def each(given: Iterable[str]) -> list[str]:
    """Return what was *given*, one by one: several may have been pasted into one field of a list."""
    return [one for some in given for part in re.split(r"[\s,;]+", some) if (one := stripped(part))]


def _alone(pattern: str) -> str:
    """Return the pattern of a text that may have blanks around it, as copying leaves them, or signs that nobody sees."""
    return rf"^[\s{COPIED_ALONG}]*({pattern})[\s{COPIED_ALONG}]*$"


TRIMMED = AfterValidator(stripped)
NOT_LEFT_EMPTY = rf"[^\s,;{COPIED_ALONG}]"
SlackId = Annotated[str, written(_alone("[UW][A-Z0-9]+"), like="a Slack id, like U024BE7LH"), TRIMMED]
ONE_ID = f"[{COPIED_ALONG}]*[UW][A-Z0-9]+[{COPIED_ALONG}]*"
SOME_IDS = rf"^\s*{ONE_ID}([\s,;]+{ONE_ID})*[\s,;]*$"
SomeIds = Annotated[str, written(SOME_IDS, like="a Slack id, like U024BE7LH, or several with blanks or commas between")]
SlackIds = Annotated[list[SomeIds], AfterValidator(each)]
SomeAddresses = Annotated[str, written(NOT_LEFT_EMPTY, like="an e-mail address")]
Addresses = Annotated[list[SomeAddresses], AfterValidator(each)]
SomeEvents = Annotated[str, written(NOT_LEFT_EMPTY, like="the id of an event, as the table has it")]
EventIds = Annotated[list[SomeEvents], AfterValidator(each)]
PERSON = "[UW][A-Z0-9]+|docebo:[1-9][0-9]*"
OF_A_PERSON = "a Slack id, like U024BE7LH, or docebo: and the id of the Docebo user, like docebo:10018"
Person = Annotated[str, written(_alone(PERSON), like=OF_A_PERSON), TRIMMED]
PersonOrNobody = Annotated[str, written(_alone(f"{PERSON}|"), like=f"{OF_A_PERSON}, or nothing"), TRIMMED]
OurId = Annotated[str, written(_alone("[0-9a-z]{0,8}"), like="an id like k8tfq19f, or nothing"), TRIMMED]
OF_A_PLAN = "the id of a plan, like k8tfq19f, or of a flow run, or nothing"
PlanOrRun = Annotated[str, written(_alone("[0-9a-z-]{0,36}"), like=OF_A_PLAN), TRIMMED]
