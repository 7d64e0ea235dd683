"""People are shown by their names only where a login keeps others from seeing them."""

import httpx
from prefect.settings import get_current_settings

from slack_docebo.domain.people import PeopleShown
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import IntegrationSettings

ANSWER_SECONDS = 10.0


async def check_people_shown(behaviour: IntegrationSettings) -> None:
    """Raise ConfigurationError where names would be shown on a Prefect server that answers a call without a login."""
    if behaviour.people_shown is PeopleShown.IDS:
        return
    api = get_current_settings().api.url
    if not api or await _answers_anybody(api):
        raise ConfigurationError(
            "PEOPLE_SHOWN is names, and whoever reaches Prefect would see them: give Prefect's server a login"
            " (PREFECT_SERVER_API_AUTH_STRING, docs/security.md), or set PEOPLE_SHOWN to ids"
        )


async def _answers_anybody(api: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as http:
            answer = await http.get(f"{api.rstrip('/')}/version")
    except httpx.HTTPError as error:
        raise ConfigurationError(
            f"PEOPLE_SHOWN is names, and whether Prefect wants a login cannot be told: {type(error).__name__}; run again"
        ) from None
    return answer.status_code != httpx.codes.UNAUTHORIZED
