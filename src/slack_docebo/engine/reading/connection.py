"""The connection check: both sides answer, our credentials suffice, and the two belong together."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from slack_docebo.clients.docebo import Session
from slack_docebo.clients.slack import Identity
from slack_docebo.domain.attributes import AttributeRule
from slack_docebo.engine.reading.mirror_fields import find_mirror
from slack_docebo.errors import AccessDenied, ConfigurationError, WorkspaceMismatch
from slack_docebo.runtime import Runtime
from slack_docebo.storage.links import LinkRepository

NEEDED_SCOPES = ("users:read", "users:read.email")
# Docebo does not document its other levels: any but these pass, and a 403 stops the run.
NO_SUPERADMIN = frozenset({"user", "6", "power_user", "poweruser", "power user", "4"})
PROFILE_SCOPE = "users.profile:read"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The Slack workspace that is provisioned."""

    team: str
    name: str


async def validate(runtime: Runtime, *, pin: bool = True) -> Workspace:
    """Return the workspace if everything a run needs is in place; raise an error that says what is not.

    The first workspace that passes is kept as the one linked to this Docebo, unless one is configured or *pin* is off.
    """
    identity, session = await asyncio.gather(runtime.slack.identify(), runtime.docebo.session())
    _check_scopes(runtime, identity)
    _check_rights(session)
    workspace = await _workspace(runtime, identity)
    await _check_fields(runtime)
    await _check_branch(runtime)
    with runtime.store.transaction() as connection:
        links = LinkRepository(connection)
        linked = links.get(runtime.settings.docebo_url)
        expected = runtime.settings.slack_team_id or (linked.slack_team if linked else workspace.team)
        if workspace.team != expected:
            raise WorkspaceMismatch(
                f"the token belongs to workspace {workspace.team}, but this Docebo is linked to {expected}:"
                " use a token of that workspace, or set SLACK_TEAM_ID if the link shall change"
            )
        if pin and (linked is None or linked.slack_team != workspace.team):
            links.pin(runtime.settings.docebo_url, workspace.team, workspace.name, now=runtime.now())
    return workspace


def missing_scopes(identity: Identity, rules: Iterable[AttributeRule]) -> list[str]:
    """Return the scopes that the token lacks for *rules*."""
    if not identity.scopes:
        return []  # no header: nothing known, and a list without any e-mail address is refused later
    needed = (*NEEDED_SCOPES, PROFILE_SCOPE) if any(rule.is_custom for rule in rules) else NEEDED_SCOPES
    return [scope for scope in needed if scope not in identity.scopes]


def _check_scopes(runtime: Runtime, identity: Identity) -> None:
    """Raise an error if a scope is missing: without it, Slack would leave out e-mail addresses and give no error."""
    if missing := missing_scopes(identity, runtime.behaviour.attributes):
        raise AccessDenied("Slack", f"the token lacks {', '.join(missing)}: add it to the app and install it again")


def _check_rights(session: Session) -> None:
    if session.level.casefold() in NO_SUPERADMIN:
        raise AccessDenied(
            "Docebo", f"account {session.docebo_id} is no superadmin: user administration needs a superadmin's grant"
        )


async def _workspace(runtime: Runtime, identity: Identity) -> Workspace:
    """Return the workspace of the token; that of an organisation's token has to be configured."""
    if not (identity.is_enterprise_install or identity.team_id.startswith("E")):
        return Workspace(identity.team_id, identity.team_name)
    team = runtime.settings.slack_team_id
    if not team:
        raise ConfigurationError("SLACK_TEAM_ID is not set: the token is for an organisation with several workspaces")
    return Workspace(team, await runtime.slack.team_name(team))


async def _check_fields(runtime: Runtime) -> None:
    wanted = {rule.field_id: rule for rule in runtime.behaviour.attributes if rule.field_id}
    mirrored = runtime.behaviour.mirror_fields
    if not (wanted or mirrored):
        return
    fields = await runtime.docebo.user_fields()
    known = {field.id for field in fields}
    if unknown := sorted(str(rule) for field_id, rule in wanted.items() if field_id not in known):
        raise ConfigurationError(
            f"integration_settings: row SLACK | ATTRIBUTES: Docebo has no such additional field: {', '.join(unknown)};"
            f" there are {', '.join(map(str, sorted(known))) or 'none'}"
        )
    if mirrored:
        runtime.mirror_into(find_mirror(fields, mirrored))


async def _check_branch(runtime: Runtime) -> None:
    branch = runtime.behaviour.destination_branch
    if branch is None or branch in {known.id for known in await runtime.docebo.branches()}:
        return
    raise ConfigurationError(
        f"integration_settings: row SLACK | DESTINATION_BRANCH: Docebo has no branch {branch};"
        " its id is a number, not its code"
    )
