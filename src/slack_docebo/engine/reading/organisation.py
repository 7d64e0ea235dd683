"""Organisation: the ids that people have in all of an Enterprise Grid, after their workspace has joined it.

Slack may then list everybody under another id than the one they are mapped by. Asking for each of them would take as
many calls as there are people; here one call tells 400 ids.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from slack_docebo.clients.slack import EXCHANGED_AT_ONCE
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.decisions import never_touched
from slack_docebo.domain.observation import Present, Unknown
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.scope import Scope
from slack_docebo.domain.texts import some_of
from slack_docebo.engine.reading.connection import Workspace, recall_other_ids
from slack_docebo.engine.reading.evidence import ask_for_people, check_calls, counted, reserve_calls
from slack_docebo.engine.reading.renewing import renewed
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import ConfigurationError, IncompleteRead, RemoteError, TransientError
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime
from slack_docebo.storage.store import Store

_log = logging.getLogger(__name__)


async def find_under_other_ids(
    runtime: Runtime, workspace: Workspace, listed: SourceSnapshot, slack_ids: Sequence[str]
) -> dict[str, SourceUser]:
    """Return those of *slack_ids* who are *listed* under the id that Slack says is theirs in the organisation.

    The others have to be asked for one by one; so has everybody where Slack does not say, or where it takes no fewer
    calls. People of whom it says so count as looked up.
    """
    if not workspace.organisation:
        return {}
    ids = await _exchanged(runtime, workspace, slack_ids)
    runtime.ids_looked_up.update(ids)
    former = {now: before for before in slack_ids if (now := ids.get(before)) and now in listed}
    shown = await to_completion(_shown, listed, former)
    users = await renewed(runtime, workspace.team, list(shown.values()))
    return {before: replace(user, local_id=before) for before, user in zip(shown, users, strict=True)}


async def learn_who_is_named(runtime: Runtime, workspace: Workspace, people: Iterable[SourceUser]) -> bool:
    """Find out the organisation's ids of people whom the scope or a decision names; tell whether that is news.

    Somebody may be served by an event, or by name, before an import has learned the ids from the list. Slack is asked
    once a run, and only if one of *people* is new to us. Raises ConfigurationError where nobody can tell who is
    excluded.
    """
    ids = {user.slack_id for user in people if user.organisation}
    if not ids or not await to_completion(_are_new, runtime.store, runtime.settings.docebo_url, workspace.team, ids):
        return False
    if to_ask := await to_completion(_named, runtime, workspace.team):
        others = await _exchanged(runtime, workspace, to_ask)
        rest = [slack_id for slack_id in to_ask if slack_id not in others]
        check_calls(runtime, people=len(rest))
        answers = await ask_for_people(runtime, workspace.team, rest)
        others |= {before: seen.value.slack_id for before, seen in answers.items() if isinstance(seen, Present)}
        with runtime.store.transaction() as tables:
            tables.people.register(workspace.team, to_ask, now=runtime.now())
            tables.people.note_ids(workspace.team, {now: before for before, now in others.items() if now != before})
        check_excluded(runtime.behaviour, [slack_id for slack_id, seen in answers.items() if isinstance(seen, Unknown)])
        runtime.ids_looked_up.update(to_ask)
    recall_other_ids(runtime, workspace.team)
    return True


async def learn_who_is_forgotten(runtime: Runtime, workspace: Workspace, people: Iterable[SourceUser]) -> set[str]:
    """Return those of *people* who were forgotten under a former id, which Slack is asked for.

    Only digests of forgotten people are stored, so Slack is asked for the former id of everybody who is new to us. From
    then on the forgotten are known by the new id, too.
    """
    if not await to_completion(_is_anybody_forgotten, runtime.store):
        return set()
    try:
        shown = await find_former_ids(runtime, workspace, await strangers(runtime, workspace, people))
    except (TransientError, IncompleteRead) as error:
        _log.warning("whether somebody new was forgotten under a former id is not known: %s", error)
        return set()
    with runtime.store.reading() as tables:
        excluded = tables.exclusions.all()
    return {slack_id for slack_id, user in shown.items() if excluded.cover_any(user.ids)}


async def strangers(runtime: Runtime, workspace: Workspace, people: Iterable[SourceUser]) -> dict[str, SourceUser]:
    """Return those of *people*, by Slack id, who are new to us and in scope, and may be known to us by a former id.

    Slack may show somebody under the id of the organisation alone who is known to us under another.
    """
    return await to_completion(_strangers, runtime.store, runtime.behaviour.policy(workspace.team).scope, people)


async def find_former_ids(
    runtime: Runtime, workspace: Workspace, new: Mapping[str, SourceUser]
) -> dict[str, SourceUser]:
    """Return those of *new*, the `strangers`, who had other ids before, with these, by the ids that Slack shows now.

    Whoever was forgotten under a former id is known by the new one, too, from then on. Nobody is returned where Slack does
    not let us ask; raises TransientError where it does not answer, and IncompleteRead where EVIDENCE_CALLS does not allow
    to ask.
    """
    if not new:
        return {}
    check_calls(runtime, people=-(-len(new) // EXCHANGED_AT_ONCE))
    try:
        with counted(runtime):
            former = await runtime.slack.local_ids(sorted(new), team_id=workspace.team)
    except TransientError:
        raise
    except RemoteError as error:
        _log.warning("under which ids people new to us were known before is not known: %s", error)
        return {}
    with runtime.store.transaction() as tables:
        excluded = tables.exclusions.all()
        for now, before in former.items():
            if excluded.cover_any([before]):
                tables.exclusions.note_other_id(now, before)
    return {now: replace(new[now], local_id=before) for now, before in former.items() if before != now}


def check_excluded(behaviour: IntegrationSettings, unknown: Collection[str]) -> None:
    """Raise ConfigurationError if the scope excludes an *unknown* id, for which Slack does not tell the new one."""
    if hidden := sorted(behaviour.ids_excluded.intersection(unknown)):
        raise ConfigurationError(
            f"integration_settings: row SLACK | SCOPE_EXCLUDE: Slack does not say under which id of the organisation it lists"
            f" {some_of(hidden)}: exclude them by their e-mail addresses"
        )


def _are_new(store: Store, docebo: str, team: str, slack_ids: Collection[str]) -> bool:
    """Tell whether one of *slack_ids* was never dealt with by an import or event."""
    with store.reading() as tables:
        mapped, told = tables.mappings(docebo).of(team, slack_ids), tables.standings.of(docebo, team, slack_ids)
    return not mapped.keys() | told.keys() >= set(slack_ids)


def _is_anybody_forgotten(store: Store) -> bool:
    with store.reading() as tables:
        return bool(tables.exclusions.all().digests)


def _strangers(store: Store, scope: Scope, people: Iterable[SourceUser]) -> dict[str, SourceUser]:
    shown = {user.slack_id: user for user in people if user.organisation and not user.local_id}
    with store.reading() as tables:
        excluded, known = tables.exclusions.all(), tables.people.of(scope.team, shown)
    return {
        slack_id: user
        for slack_id, user in shown.items()
        if slack_id not in known and not excluded.cover(user) and not scope.reason_against(user)
    }


def _named(runtime: Runtime, team: str) -> list[str]:
    """Return the ids by which the scope or decisions name people whose other ids have not been asked for."""
    with runtime.store.reading() as tables:
        never = never_touched(tables.decisions.binding(team))
        named = (never | runtime.behaviour.ids_named) - tables.people.gone(team).keys() - runtime.ids_looked_up
        return sorted(named - set(tables.people.other_ids(team, named).values()))


async def _exchanged(runtime: Runtime, workspace: Workspace, slack_ids: Sequence[str]) -> dict[str, str]:
    """Return the ids in the organisation of *slack_ids*, 400 in one call, as far as Slack tells them.

    None are returned where asking for each person takes no more calls.
    """
    calls = -(-len(slack_ids) // EXCHANGED_AT_ONCE)
    if calls >= len(slack_ids) or not reserve_calls(runtime, people=calls):
        return {}
    try:
        with counted(runtime):
            return await runtime.slack.organisation_ids(slack_ids, team_id=workspace.team)
    except RemoteError as error:
        _log.warning("who was given another id in the organisation is asked for one by one: %s", error)
        return {}


def _shown(listed: SourceSnapshot, former: dict[str, str]) -> dict[str, SourceUser]:
    people = (user for user in chain.from_iterable(listed) if user.slack_id in former) if former else ()
    return {former[user.slack_id]: replace(user, local_id=former[user.slack_id]) for user in people}
