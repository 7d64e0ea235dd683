"""Custom profile fields, which Slack's list does not show: read person by person, and stored for later runs."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from slack_docebo.clients.slack import SlackClient
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.profiles import Profile, ReadingOrder, daily_share, reading_order
from slack_docebo.domain.rules import custom_fields
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.outages import OutageWatch, ping_slack
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import IncompleteRead
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime
from slack_docebo.safe_points import safe_point
from slack_docebo.storage.store import Store


@dataclass(slots=True)
class ProfilesRead:
    """The result: people whose fields have changed, and how many the next run has to read."""

    changed: set[str] = field(default_factory=set)  # Slack ids
    read: int = 0
    left: int = 0


def fields_wanted(behaviour: IntegrationSettings) -> frozenset[str]:
    """Return the ids of the custom fields that rules read; none while accounts are not provisioned."""
    return custom_fields(behaviour.attributes) if behaviour.provision_slack_user_data else frozenset()


def shows_fields(user: SourceUser, wanted: Collection[str]) -> bool:
    """Tell whether Slack has shown all *wanted* custom fields with *user*, and there are any."""
    return bool(wanted) and set(wanted) <= (user.custom or {}).keys()


def with_fields_read_before(runtime: Runtime, team: str, users: Sequence[SourceUser]) -> list[SourceUser]:
    """Return *users* with the custom fields last read of them; without any, unless all mapped ones were read.

    Nothing newer was written to Docebo, for what events and runs for named people show is stored as well. The fields of
    somebody who is due to be read again count as outdated.
    """
    wanted = fields_wanted(runtime.behaviour)
    if not wanted:
        return list(users)
    max_age, now = timedelta(days=runtime.behaviour.profile_max_age_days), runtime.now()
    with runtime.store.reading() as tables:
        known = tables.profiles.of(team, [user.slack_id for user in users])

    def with_fields(user: SourceUser) -> SourceUser:
        profile = known.get(user.slack_id)
        if profile is None or not profile.tells(wanted):
            return user
        is_due = reading_order(user, profile, wanted, now=now, max_age=max_age) is not None
        return replace(user, custom=profile.said, outdated=is_due)

    return [with_fields(user) for user in users]


def with_fields_known(runtime: Runtime, team: str, users: Sequence[SourceUser]) -> list[SourceUser]:
    """Return *users* of a list with the custom fields that it shows, else with those last read."""
    wanted = fields_wanted(runtime.behaviour)
    read_before = with_fields_read_before(runtime, team, users)
    return [user if shows_fields(user, wanted) else known for user, known in zip(users, read_before, strict=True)]


def due(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot) -> list[SourceUser]:
    """Return the people in *listed* whose custom fields are to be read, in this order; not those the list shows."""
    wanted = fields_wanted(runtime.behaviour)
    if not wanted:
        return []
    scope = runtime.behaviour.policy(workspace.team).scope
    max_age, now = timedelta(days=runtime.behaviour.profile_max_age_days), runtime.now()
    turns: dict[ReadingOrder, SourceUser] = {}
    in_scope = 0
    for page in listed:
        with runtime.store.reading() as tables:
            known = tables.profiles.of(workspace.team, [user.slack_id for user in page])
            excluded = tables.exclusions.all()
        for user in page:
            if scope.reason_against(user) or excluded.cover(user):
                continue
            in_scope += 1
            if user.slack_id in listed.with_fields:
                continue
            if (its := reading_order(user, known.get(user.slack_id), wanted, now=now, max_age=max_age)) is not None:
                turns[its] = user
    return [turns[its] for its in daily_share(turns, in_scope, now=now, max_age=max_age)]


def keep_fields_shown(runtime: Runtime, team: str, users: Iterable[SourceUser]) -> None:
    """Store the custom fields of those *users* in scope with whom Slack has shown them, by event or one by one.

    Otherwise the next import would write what was read before.
    """
    wanted = fields_wanted(runtime.behaviour)
    scope = runtime.behaviour.policy(team).scope
    shown = [user for user in users if shows_fields(user, wanted) and not scope.reason_against(user)]
    if not wanted or not shown:
        return
    with runtime.store.transaction() as tables:
        known, excluded = tables.profiles.of(team, [user.slack_id for user in shown]), tables.exclusions.all()
        for user in shown:
            before = known.get(user.slack_id)
            if not excluded.cover(user) and (before is None or before.updated <= user.updated):
                fields = {name: value for name, value in (user.custom or {}).items() if name in wanted}
                tables.profiles.keep(team, user.slack_id, Profile(fields, user.updated, runtime.now()))


async def read_profiles(
    runtime: Runtime,
    workspace: Workspace,
    people: Sequence[SourceUser],
    advance: Callable[[int], None],
    *,
    to_compare: Collection[str] = (),
) -> ProfilesRead:
    """Read the custom fields of *people* one by one, for at most PROFILE_MINUTES, storing each answer at once.

    People in *to_compare* (Slack ids) count as changed whatever Slack says: the import has left them for this.

    Raises where Slack answers for nobody, and IncompleteRead like `check_fields_left_out`; what was read until then is
    stored, but marked as outdated where it may be wrong.
    """
    ends = time.monotonic() + runtime.behaviour.profile_minutes * 60
    empty: list[str] = []  # people of whom Slack shows no value
    done, watch = ProfilesRead(left=len(people)), OutageWatch(partial(ping_slack, runtime.slack))
    wanted = fields_wanted(runtime.behaviour)
    for user in people:
        safe_point()
        if time.monotonic() >= ends:
            break
        try:
            fields = await runtime.slack.custom_fields(user.slack_id)
        except Exception as error:  # whatever it is, it must not keep the others from being read
            await watch.failed(error)
            continue
        watch.passed()
        advance(1)
        done.left -= 1
        if fields is not None:
            done.read += 1
            if "" in fields.values():
                empty.append(user.slack_id)
            asked = {field_id: fields.get(field_id) for field_id in wanted}
            read = Profile(asked, user.updated, runtime.now())
            if await to_completion(_keep, runtime.store, workspace.team, user, read) or user.slack_id in to_compare:
                done.changed.add(user.slack_id)
    try:
        await check_fields_left_out(runtime.slack)
    except Exception:
        await to_completion(_doubt, runtime.store, workspace.team, empty)
        raise
    return done


async def check_fields_left_out(slack: SlackClient) -> None:
    """Raise IncompleteRead if a field that Slack has shown with nobody is deleted or hidden by now.

    It is called once people were read, before anything is concluded from it, and takes a call if any field was left
    out.
    """
    if gone := await slack.fields_gone():
        raise IncompleteRead(
            f"Slack's profile field {', '.join(sorted(gone))} was deleted or hidden while people were read, so those who are"
            " shown without it may have a value there: run again"
        )


def _doubt(store: Store, team: str, slack_ids: Collection[str]) -> None:
    with store.transaction() as tables:
        tables.profiles.doubt(team, slack_ids)


def _keep(store: Store, team: str, user: SourceUser, read: Profile) -> bool:
    """Store *read*, except of a forgotten person, and tell whether it differs from before."""
    with store.transaction() as tables:
        if tables.exclusions.all().cover(user):
            return False
        before = tables.profiles.of(team, [user.slack_id]).get(user.slack_id)
        tables.profiles.keep(team, user.slack_id, read)
    return before is None or before.fields != read.fields
