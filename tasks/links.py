"""Links to Prefect's pages: the forms, filled in."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_UI_URL

from slack_docebo.domain.texts import markdown
from slack_docebo.engine.reporting.steps import Step

TAG = "slack-docebo"  # of all our deployments and their runs
BY_HAND = "by-hand"  # the tag of deployments that people start
ALL = 200  # more deployments than that are not ours


class Form:
    """The form in which people start a run of one deployment."""

    def __init__(self, deployment_id: UUID, parameters: Mapping[str, Any]) -> None:
        self._deployment_id = deployment_id
        self._parameters = parameters

    def link(self, **parameters: object) -> str:
        """Return the address of the form, filled in.

        A link replaces the deployment's own parameters, so it carries all of them.
        """
        filled = json.dumps({**self._parameters, **parameters})
        return f"/v2/deployments/deployment/{self._deployment_id}/run?parameters={quote(filled, safe='')}"


class Forms:
    """The forms of all deployments that people start, by the name of the flow."""

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self._forms = forms

    def links(self) -> dict[str, str]:
        """Return the address of each form as it is, by the name of its flow."""
        return {flow: form.link() for flow, form in sorted(self._forms.items())}

    def link(self, step: Step) -> str:
        """Return the address of the form for *step*, filled in; "" if there is none."""
        form = self._forms.get(step.flow)
        return form.link(**step.values) if form else ""

    def shown(self, step: Step) -> str:
        """Return *step* as Markdown that links to its form; its words alone if there is none."""
        link = self.link(step)
        return f"[{markdown(step.words)}]({link})" if link else markdown(step.words)


async def read_forms(client: PrefectClient) -> Forms:
    """Return the forms that Prefect shows now."""
    names = {flow.id: flow.name for flow in await client.read_flows(limit=ALL)}
    # Those that have a schedule cost Prefect, and us, several times as much: it reads the list of all time zones for each.
    by_hand = DeploymentFilter(tags=DeploymentFilterTags(all_=[BY_HAND]))
    return Forms(
        {
            names[deployment.flow_id]: Form(deployment.id, _parameters(deployment))
            for deployment in await client.read_deployments(deployment_filter=by_hand, limit=ALL)
            if deployment.flow_id in names
        }
    )


async def find_forms() -> Forms:
    """Return the forms that Prefect shows now; none while it does not answer."""
    try:
        async with get_client() as client:
            return await read_forms(client)
    except (httpx.HTTPError, PrefectException):
        return Forms({})


RED_RUNS = f"/v2/dashboard?tab=FAILED-CRASHED&seconds=-{7 * 24 * 3600}&tags={quote(json.dumps([TAG]))}"
"""Where Prefect lists those of our runs of the last week that ended red; its list of runs knows no names of states but its own."""


def whole_address(page: str) -> str:
    """Return the address of one of Prefect's pages as it may be mailed, "" for none or while it is not known.

    Prefect makes it of PREFECT_API_URL, which may hold a login, where PREFECT_UI_URL is not set.
    """
    prefect = re.sub(r"//[^/]*@", "//", PREFECT_UI_URL.value() or "")
    return f"{prefect.rstrip('/')}{page}" if prefect and page else ""


def _parameters(deployment: Any) -> dict[str, Any]:
    schema = (deployment.parameter_openapi_schema or {}).get("properties", {})
    defaults = {name: field["default"] for name, field in schema.items() if "default" in field}
    return {**defaults, **deployment.parameters}
