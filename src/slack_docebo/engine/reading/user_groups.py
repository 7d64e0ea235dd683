"""The user groups that the scope names, read in one call."""

from collections.abc import Collection
from datetime import timedelta

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.shrinking import has_shrunk
from slack_docebo.domain.user_groups import UserGroup, groups_with, members_of
from slack_docebo.errors import ConfigurationError, IncompleteRead
from slack_docebo.runtime import Runtime
from slack_docebo.storage.reads import ProvenRead, slack_source
from slack_docebo.storage.tables import Tables

FRESH = timedelta(minutes=1)  # in which a run that lingers need not read them again
MAY_SHRINK = 50  # percent; people come to a group and leave it
IF_EMPTIED = {
    "SCOPE_USERGROUPS": "add people in Slack, or take the group out of the row; with an empty row everybody is looked after",
    "SCOPE_EXCLUDE_USERGROUPS": "run again once Slack shows who is; if nobody is to be left alone for it any more, take the"
    " group out of the row",
}


async def read_user_groups(runtime: Runtime, team: str, *, if_older: bool = False) -> None:
    """Tell the scope who is in the user groups that it names, for one call; for none if it names none.

    A group whose count differs from its list takes one more call. With *if_older*, groups are read only if they were
    last read longer than FRESH ago.

    Raises ConfigurationError where a group does not exist, is empty, or has a handle that was last read as that of
    another group, which still exists; and IncompleteRead where it has lost most of its members since the last complete
    read. Otherwise all of them would drop out of the scope, or come into it.
    """
    behaviour, now = runtime.behaviour, runtime.now()
    if not behaviour.reads_user_groups:
        return
    if if_older and runtime.groups.read_at and now - runtime.groups.read_at < FRESH:
        return
    handles = {*behaviour.scope_usergroups, *behaviour.scope_exclude_usergroups}
    groups = await runtime.slack.user_groups(handles, team_id=team)
    included = _named_by("SCOPE_USERGROUPS", behaviour.scope_usergroups, groups)
    excluded = _named_by("SCOPE_EXCLUDE_USERGROUPS", behaviour.scope_exclude_usergroups, groups)
    runtime.groups.by_id = {group.id: group for group in (*included, *excluded)}
    await to_completion(_check_handles, runtime, team, groups)
    await to_completion(_check_sizes, runtime, team)
    runtime.behaviour = runtime.behaviour.with_members(members_of(included) if included else None, members_of(excluded))
    runtime.groups.read_at = now


def record_groups(runtime: Runtime, team: str, tables: Tables) -> None:
    """Store the groups that this run has read, as the measure for the next ones."""
    now = runtime.now()  # by which `_check_handles` knows the group that was read under a handle last
    for group in runtime.groups.by_id.values():
        for source in (_source(team, group), _source(team, group, of_id=group.id)):
            tables.reads.record(
                ProvenRead(source=source, people=len(group.members), pages=1, proven_at=now, flow_run=runtime.run_id)
            )


def _named_by(row: str, handles: tuple[str, ...], groups: Collection[UserGroup]) -> list[UserGroup]:
    """Return the groups that *row* names; raise ConfigurationError if one does not exist or is empty."""
    try:
        found = groups_with(handles, groups)
    except ValueError as error:
        raise ConfigurationError(f"integration_settings: row SLACK | {row}: {error}") from None
    if empty := [group for group in found if not group.members]:
        raise ConfigurationError(
            f"integration_settings: row SLACK | {row}: nobody is in @{empty[0].handle}: {IF_EMPTIED[row]}"
        )
    return found


def _check_handles(runtime: Runtime, team: str, groups: Collection[UserGroup]) -> None:
    """Raise ConfigurationError where a handle belonged to another one of *groups* when it was last read."""
    if runtime.behaviour.source_may_shrink == 100:
        return
    with runtime.store.reading() as tables:
        for group in runtime.groups.by_id.values():
            if _had_handle_last(tables, team, group, group.id):
                continue
            for other in groups:
                if _had_handle_last(tables, team, group, other.id):
                    raise ConfigurationError(
                        f"integration_settings: @{group.handle} is the user group {group.id} by now, and was {other.id},"
                        f" which is @{other.handle}: write the handle of the one that is meant into the row, and if that is"
                        f" @{group.handle}, set SOURCE_MAY_SHRINK to 100 for one import"
                    )


def _had_handle_last(tables: Tables, team: str, group: UserGroup, group_id: str) -> bool:
    """Tell whether the group with this id had the handle of *group* when that was last read."""
    last, own = (tables.reads.last(_source(team, group, of_id=of_id)) for of_id in ("", group_id))
    return last is not None and own is not None and own.proven_at >= last.proven_at


def _check_sizes(runtime: Runtime, team: str) -> None:
    percent = max(MAY_SHRINK, runtime.behaviour.source_may_shrink)
    with runtime.store.reading() as tables:
        last = {group: tables.reads.last(_source(team, group)) for group in runtime.groups.by_id.values()}
    for group, read in last.items():
        if read and has_shrunk(len(group.members), read.people, percent):
            raise IncompleteRead(
                f"Slack shows {len(group.members)} members of @{group.handle}, the last complete read had {read.people}:"
                f" more than {percent}% are missing. If that is right, raise SOURCE_MAY_SHRINK beyond that for one import"
            )


def _source(team: str, group: UserGroup, *, of_id: str = "") -> str:
    """Return the source's name: by handle, for a group that is deleted and made anew has another id.

    With *of_id*, that of this very group under the handle.
    """
    return f"{slack_source(team)} group:{group.handle.casefold()} {of_id}".rstrip()
