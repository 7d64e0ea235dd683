"""A run whose form does not fit: said in the words of the form, and without what somebody has typed."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from prefect.client.schemas import State
from prefect.exceptions import ParameterTypeError
from prefect.flows import Flow
from prefect.states import Failed
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from slack_docebo.engine.reporting.troubles import WRONG_FORM, state_message

SAID = {
    "missing": "has to be filled in",
    "value_error": "is not what the help below it allows",
}
"""By pydantic's kind of error. Its own words do for the others: they say what is allowed, and repeat nothing."""
SHOULD = re.compile("^[A-Z][a-z]+ should ")


def misfits(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> list[str]:
    """Return what is wrong in the form of *flow*, field by field; nothing if the form is right."""
    if references := [name for name, value in parameters.items() if _refers(value)]:
        return [f"{_field(flow, (name,))} holds a reference ($ref), which no form takes" for name in references]
    log = logging.getLogger("prefect.flows")
    log.disabled = True  # it would show what somebody has typed, such as an address
    try:
        flow.validate_parameters(dict(parameters))
    except ParameterTypeError as error:
        if not isinstance(error.__context__, ValidationError):
            return ["a field holds what cannot be read"]
        found = error.__context__.errors(include_input=False, include_url=False)
        return [f"{_field(flow, one['loc'])} {_said(flow, one)}" for one in found]
    finally:
        log.disabled = False
    return []


def refusing(flow: Flow[..., Any], wrong: list[str]) -> Flow[..., Any]:
    """Return a flow that only fails because of what is *wrong*; people are told of the failure like that of *flow*."""

    async def refused() -> State[Any]:
        return Failed(message=state_message(WRONG_FORM, f"{'; '.join(wrong)}; nothing was run"))

    return Flow(
        refused,
        name=flow.name,
        validate_parameters=False,
        on_failure=flow.on_failure_hooks,
        persist_result=False,
        result_storage=flow.result_storage,
    )


def _refers(value: object) -> bool:
    """Tell whether *value* holds what Prefect takes for a reference to a block: it would load that, whatever it is."""
    if isinstance(value, Mapping):
        return "$ref" in value or any(map(_refers, value.values()))
    return isinstance(value, list) and any(map(_refers, value))


def _field(flow: Flow[..., Any], place: tuple[int | str, ...]) -> str:
    """Return the field at this *place* as the form calls it, like Slack users, number 2."""
    name, *rest = place
    title = flow.parameters.properties.get(str(name), {}).get("title", name)
    return ", ".join([str(title), *(f"number {one + 1}" if isinstance(one, int) else str(one) for one in rest)])


def _said(flow: Flow[..., Any], error: ErrorDetails) -> str:
    """Return what is wrong with a field: what has to be there in the words of the form, where it has some."""
    if error["type"] == "string_pattern_mismatch" and (like := _like(flow, error["loc"])):
        return f"has to be {like}"
    return SAID.get(error["type"]) or SHOULD.sub("has to ", error["msg"])


def _like(flow: Flow[..., Any], place: tuple[int | str, ...]) -> str:
    """Return what the form expects at this *place*, as `tasks.forms.written` has it; "" where that is not said."""
    name, *rest = place
    field = flow.parameters.properties.get(str(name), {})
    for _ in rest:
        field = field.get("items", {})
    return str(field.get("else", {}).get("const", ""))
