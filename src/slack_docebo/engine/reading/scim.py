"""What only Slack's SCIM API says of people: of everybody in one read, or of one person.

Nobody is taken to have left because of it: SCIM is asked for values, never for who is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from slack_docebo.clients.scim import ScimClient
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.rules import AttributeRule, reads_scim
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime

NOTHING: Mapping[str, str] = {}
WANTED_FOR_SCIM = (
    "integration_settings: row SLACK | ATTRIBUTES reads SCIM, for which SLACK_SCIM_TOKEN is missing: set it, or"
    " take the values from custom profile fields"
)


def check_scim(scim: ScimClient | None, rules: Iterable[AttributeRule]) -> None:
    """Raise ConfigurationError where a rule reads SCIM and there is no token for it."""
    if scim is None and reads_scim(rules):
        raise ConfigurationError(WANTED_FOR_SCIM)


async def read_scim(runtime: Runtime) -> dict[str, Mapping[str, str]] | None:
    """Return what SCIM says of everybody, by Slack id, for a call per thousand.

    None if no rule reads it, there is no token for it, or accounts are not provisioned.
    """
    behaviour = runtime.behaviour
    if runtime.scim is None or not behaviour.provision_slack_user_data or not reads_scim(behaviour.attributes):
        return None
    return await runtime.scim.people()


def with_scim(users: Iterable[SourceUser], known: Mapping[str, Mapping[str, str]]) -> list[SourceUser]:
    """Return *users* with what SCIM says of them, which is nothing for people it does not show."""
    return [
        replace(user, scim=next((known[slack_id] for slack_id in user.ids if slack_id in known), NOTHING))
        for user in users
    ]


async def with_own_scim(runtime: Runtime, user: SourceUser) -> SourceUser:
    """Return *user* with what SCIM says, for one call; unchanged if no rule reads it."""
    if runtime.scim is None or not reads_scim(runtime.behaviour.attributes):
        return user
    return replace(user, scim=await runtime.scim.person(user.slack_id) or NOTHING)
