"""The connection check: both sides answer, our credentials suffice, and the two belong together."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.clients.docebo_wire import Session
from slack_docebo.clients.slack import SlackClient
from slack_docebo.clients.slack_wire import Identity
from slack_docebo.domain.branches import Branches
from slack_docebo.domain.dialect import SUPERADMIN_LEVEL, USER_LEVEL
from slack_docebo.domain.levels import LESSER, SUPERADMIN, level_word
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.texts import shortened, visible
from slack_docebo.engine.reading.attribute_fields import find_additional_fields, find_manager_type, find_profile_fields
from slack_docebo.engine.reading.dialects import known_dialect
from slack_docebo.engine.reading.scim import check_scim
from slack_docebo.engine.reading.user_groups import read_user_groups
from slack_docebo.errors import AccessDenied, ConfigurationError, WorkspaceMismatch
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime
from slack_docebo.storage.contacts import Side
from slack_docebo.storage.links import WorkspaceLink
from slack_docebo.storage.store import Store

CLOCK_MAY_DIFFER = timedelta(hours=1)
LEVEL_SHOWN = 40  # characters of a word
NEEDED_SCOPES = ("users:read", "users:read.email")
USER_GROUPS_SCOPE = "usergroups:read"
PROFILE_SCOPE = "users.profile:read"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The Slack workspace that is provisioned."""

    team: str
    name: str
    organisation: str = ""  # the Enterprise Grid that the workspace is in


class Rights(StrEnum):
    """What is known of the rights of the account to which our grant belongs."""

    SUPERADMIN = "superadmin"
    LESSER = "lesser"
    UNKNOWN = "unknown"


async def validate(runtime: Runtime, *, pin: bool = True) -> Workspace:
    """Return the workspace if everything a run needs is in place; raise an error that says what is not.

    The first workspace that passes is kept as the one linked to this Docebo, unless one is configured or *pin* is off.
    """
    with runtime.store.reading() as tables:
        tables.platforms.check(runtime.settings.docebo_url)
    workspace, session = await _ask_both(runtime)
    _check_clock(runtime.slack, runtime.docebo)
    check_scim(runtime.scim, runtime.behaviour.attributes)
    await read_user_groups(runtime, workspace.team)
    recall_other_ids(runtime, workspace.team)
    await find_profile_fields(runtime, workspace.team)
    await find_additional_fields(runtime, session)
    await find_manager_type(runtime)
    runtime.behaviour = runtime.behaviour.with_refused_values(known_dialect(runtime).refused_values)
    await _check_branch(runtime)
    if pin:
        with runtime.store.transaction() as tables:
            pinned = tables.links.pin(runtime.settings.docebo_url, workspace.team, workspace.name, now=runtime.now())
        _check_link(runtime.settings.slack_team_id, workspace, pinned)
    return workspace


def recall_other_ids(runtime: Runtime, team: str) -> None:
    """Tell the scope the other ids of people whom it names by one, as far as Slack has told them."""
    if named := runtime.behaviour.ids_named | runtime.behaviour.ids_of_members:
        with runtime.store.reading() as tables:
            runtime.behaviour = runtime.behaviour.with_other_ids(tables.people.other_ids(team, named))


def note_contacts(store: Store, docebo: str, works: Mapping[Side, bool], *, now: datetime) -> None:
    """Store whether each side accepted our credentials *now*, for the status page."""
    with store.transaction() as tables:
        for side, it_works in works.items():
            tables.contacts.note(docebo, side, works=it_works, now=now)


async def _ask_both(runtime: Runtime) -> tuple[Workspace, Session]:
    """Return what each side says of our credentials, and note whether they work; raise an error if one does not."""
    slack, docebo = await asyncio.gather(_ask_slack(runtime), _ask_docebo(runtime), return_exceptions=True)
    works = {side: not isinstance(said, BaseException) for side, said in ((Side.SLACK, slack), (Side.DOCEBO, docebo))}
    note_contacts(runtime.store, runtime.settings.docebo_url, works, now=runtime.now())
    if isinstance(slack, BaseException):
        raise slack
    if isinstance(docebo, BaseException):
        raise docebo
    return slack, docebo


async def _ask_slack(runtime: Runtime) -> Workspace:
    identity = await runtime.slack.identify()
    _check_scopes(runtime.behaviour, identity)
    with runtime.store.reading() as tables:
        linked = tables.links.get(runtime.settings.docebo_url)
    workspace = await _workspace(runtime, identity, linked)
    _check_link(runtime.settings.slack_team_id, workspace, linked)
    return workspace


async def _ask_docebo(runtime: Runtime) -> Session:
    session = await runtime.docebo.session()
    check_rights(runtime, session)
    return session


def _check_clock(slack: SlackClient, docebo: DoceboClient) -> None:
    """Raise ConfigurationError if both sides say that this machine's clock is wrong.

    With a wrong clock nobody could tell what was changed within LIMIT_WINDOW_HOURS.
    """
    ours = (slack.clock_ahead, docebo.clock_ahead)
    ahead = [one for one in ours if one is not None]
    if len(ahead) == len(ours) and (min(ahead) > CLOCK_MAY_DIFFER or max(ahead) < -CLOCK_MAY_DIFFER):
        hours = round(abs(ahead[0]) / timedelta(hours=1))
        is_ahead = "ahead of" if ahead[0] > timedelta() else "behind"
        raise ConfigurationError(
            f"the clock of this machine is {hours} hours {is_ahead} Slack's and Docebo's, and what limits count over time goes"
            " by it: set it, or let NTP do that"
        )


def _check_link(configured: str, workspace: Workspace, linked: WorkspaceLink | None) -> None:
    """Raise an error if this Docebo belongs to another workspace than the *configured* one, or the one *linked* before."""
    expected = configured or (linked.slack_team if linked else workspace.team)
    if workspace.team != expected:
        raise WorkspaceMismatch(of_another_workspace(workspace.team, expected))


def of_another_workspace(team: str, expected: str) -> str:
    """Say that our token belongs to workspace *team* where this Docebo is linked to the *expected* one."""
    return (
        f"the token belongs to workspace {team}, but this Docebo is linked to {expected}: use a token of that workspace,"
        " or set SLACK_TEAM_ID if the link shall change"
    )


def check_rights(runtime: Runtime, session: Session) -> None:
    """Raise AccessDenied unless the account of our grant is known to be a superadmin's."""
    if (rights := rights_of(session, known_dialect(runtime).superadmin_level)) is not Rights.SUPERADMIN:
        raise AccessDenied("Docebo", lack_of_rights(session, rights))


def rights_of(session: Session, superadmin_level: str = "") -> Rights:
    """Return what the level of the session says; *superadmin_level* is one more word for a superadmin, unless "".

    An account that is no superadmin's may be shown a part of the accounts as if they were all.
    """
    word = level_word(session.level)
    if word in LESSER:
        return Rights.LESSER
    return Rights.SUPERADMIN if word and word in SUPERADMIN | {level_word(superadmin_level)} else Rights.UNKNOWN


def lack_of_rights(session: Session, rights: Rights) -> str:
    """Return what is wrong, and what to do, for a session that is not known to be a superadmin's."""
    if rights is Rights.LESSER:
        return (
            f"account {session.docebo_id} is no superadmin ({session.level}), and would be shown a part of the accounts"
            " as if they were all: use a superadmin's grant"
        )
    return (
        f"account {session.docebo_id} has a level that is not known ({session.level or 'none is named'}): if Docebo's"
        f' user management shows it as superadmin, `slack-docebo dialect set "{SUPERADMIN_LEVEL.name}"` and that word'
        " (or the form dialect/how-this-docebo-answers) says so; otherwise use a superadmin's grant"
    )


def unknown_levels(words: Collection[str]) -> str:
    """Return what is wrong, and what to do, where only *words* are known of the accounts' levels; "" if none are."""
    if not words:
        return ""
    quoted = [f'"{visible(shortened(word, LEVEL_SHOWN))}"' for word in sorted(words) if word]
    counts = "so it counts as an administrator's, whom nothing touches"
    if not quoted:
        return f"Docebo names no level of an account, {counts}: let Docebo's support say why the API user sees none"
    return (
        f"Docebo names the level of an account with a word that is not known, {', '.join(quoted)}, {counts}. If its user"
        f' management shows such accounts as plain users, `slack-docebo dialect set "{USER_LEVEL.name}"` and that word (or'
        " the form dialect/how-this-docebo-answers) says so"
    )


def reason_by_scopes(identity: Identity, rules: Iterable[AttributeRule], *, user_groups: bool) -> str:
    """Return which scopes the token lacks for *rules* and, if the scope names any, for *user_groups*, or ""."""
    if not identity.scopes:
        return ""  # no header: nothing known, and a list without any e-mail address is refused later
    needed = [*NEEDED_SCOPES]
    if any(rule.is_custom for rule in rules):
        needed.append(PROFILE_SCOPE)
    if user_groups:
        needed.append(USER_GROUPS_SCOPE)
    missing = [scope for scope in needed if scope not in identity.scopes]
    return f"Slack's bot token lacks {', '.join(missing)}: add it to the app and install it again" if missing else ""


def _check_scopes(behaviour: IntegrationSettings, identity: Identity) -> None:
    """Raise an error if a scope is missing: without it, Slack would leave out e-mail addresses and give no error."""
    if lacking := reason_by_scopes(identity, behaviour.attributes, user_groups=behaviour.reads_user_groups):
        raise AccessDenied("Slack", lacking)


async def _workspace(runtime: Runtime, identity: Identity, linked: WorkspaceLink | None) -> Workspace:
    """Return the workspace of the token; one that Slack does not name is configured, or *linked* before.

    Slack names none for the token of an organisation, and proves the configured one by its name.
    """
    if identity.team_id and not (identity.is_enterprise_install or identity.team_id.startswith("E")):
        return Workspace(identity.team_id, identity.team_name, identity.enterprise_id)
    team = runtime.settings.slack_team_id or (linked.slack_team if linked else "")
    if not team:
        why = (
            "the token is for an organisation with several workspaces" if identity.team_id else "Slack does not name it"
        )
        raise ConfigurationError(f"SLACK_TEAM_ID is not set: {why}")
    return Workspace(team, await runtime.slack.team_name(team), identity.enterprise_id)


async def _check_branch(runtime: Runtime) -> None:
    branch = runtime.behaviour.destination_branch
    if branch is None:
        return
    there = runtime.org_chart.branches or Branches.of(await runtime.docebo.branches.all())
    if str(branch) in there.all_ids:
        return
    raise ConfigurationError(
        f"integration_settings: row SLACK | DESTINATION_BRANCH: Docebo has no branch {branch};"
        " its id is a number, not its code"
    )
