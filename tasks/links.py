"""Links to Prefect's pages: the forms, filled in."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect.client.orchestration import PrefectClient

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


def _parameters(deployment: Any) -> dict[str, Any]:
    schema = (deployment.parameter_openapi_schema or {}).get("properties", {})
    defaults = {name: field["default"] for name, field in schema.items() if "default" in field}
    return {**defaults, **deployment.parameters}


async def form_links(client: PrefectClient) -> dict[str, Form]:
    """Return the form of each deployment that people start, by the name of its flow."""
    names = {flow.id: flow.name for flow in await client.read_flows(limit=ALL)}
    return {
        names[deployment.flow_id]: Form(deployment.id, _parameters(deployment))
        for deployment in await client.read_deployments(limit=ALL)
        if BY_HAND in deployment.tags and deployment.flow_id in names
    }
